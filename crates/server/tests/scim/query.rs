use provost_testkit::http::encode;
use serde_json::{Value, json};

use crate::{ENTERPRISE, SEARCH, Service, USER, ids, on_both, refused};

on_both!(filters, pages, sorting, search_at_the_root);

async fn people(service: &Service) {
    for (number, name) in ["ada", "bob", "Carol", "dave"].iter().enumerate() {
        let body = json!({
            "schemas": [USER], "userName": name, "externalId": format!("x-{name}"), "active": number % 2 == 0,
            "title": format!("100% {number}"),
            "emails": [{ "value": format!("{name}@example.org"), "type": "work" }, { "value": "home@x", "type": "home" }],
            ENTERPRISE: { "department": format!("d{number}") },
        });
        assert_eq!(service.send("POST", "/Users", body).await.status, 201);
    }
}

async fn filters(service: Service) {
    people(&service).await;
    let first = service.get("/Users?filter=userName+eq+%22ADA%22").await;
    let id = first.text("/Resources/0/id");
    let cases = [
        (r#"userName eq "ADA""#.to_owned(), 1),
        (r#"username Eq "nobody-0ba1""#.into(), 0),
        (r#"externalId eq "x-ada""#.into(), 1),
        (r#"externalId eq "X-ADA""#.into(), 0),
        (format!("id eq \"{id}\""), 1),
        (r#"emails[type eq "work" and value eq "bob@example.org"]"#.into(), 1),
        (r#"emails[type eq "home"].value eq "bob@example.org""#.into(), 0),
        (r#"emails[type eq "work"].value eq "bob@example.org""#.into(), 1),
        (r#"active eq true and userName sw "c""#.into(), 1),
        (r#"title co "%""#.into(), 4),
        (r#"title co "0_""#.into(), 0),
        (format!("{ENTERPRISE}:department eq \"d1\" or not (title pr)"), 1),
        (r#"meta.resourceType eq "User""#.into(), 4),
        (format!("schemas eq \"{ENTERPRISE}\""), 4),
        (r#"meta.created gt "2020-01-01T00:00:00Z""#.into(), 4),
        (vec![r#"userName eq "ada""#; 300].join(" or "), 1),
    ];
    for (filter, total) in cases {
        let found = service.get(&format!("/Users?filter={}", encode(&filter))).await;
        assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(total)), "{filter}: {:?}", found.body);
        assert_eq!(found.body["Resources"].as_array().unwrap().len(), total);
        assert_eq!(found.body["itemsPerPage"], json!(total));
    }
    let deep = format!("{}title pr{}", "(".repeat(5_000), ")".repeat(5_000));
    for filter in ["userName", "userName zz \"a\"", "password eq \"a\"", "nothing eq \"a\"", "active gt true", &deep] {
        refused(&service.get(&format!("/Users?filter={}", encode(filter))).await, 400, "invalidFilter");
    }
    let mut longest = String::from("title pr");
    longest.extend(std::iter::repeat_n(" or title pr", 2_000));
    refused(&service.get(&format!("/Users?filter={}", encode(&longest))).await, 400, "invalidFilter");
}

async fn pages(service: Service) {
    for number in 0..25 {
        service.user(&format!("user{number:02}")).await;
    }
    let (mut seen, mut start) = (Vec::new(), 1);
    while seen.len() < 25 {
        let page = service.get(&format!("/Users?startIndex={start}&count=10")).await;
        let here = ids(&page);
        assert_eq!((&page.body["totalResults"], &page.body["startIndex"]), (&json!(25), &json!(start)));
        assert_eq!(page.body["itemsPerPage"], json!(here.len()));
        assert!(!here.is_empty());
        start += here.len();
        seen.extend(here.into_iter().map(str::to_owned));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 25, "pages do not overlap");
    for (query, here) in [
        ("count=0", 0),
        ("count=-1", 0),
        ("startIndex=0&count=2", 2),
        ("startIndex=-5", 25),
        ("startIndex=26", 0),
        ("startIndex=99999999999999999999&count=99999999999999999999", 0),
        ("filter=userName+sw+%22user1%22&startIndex=9&count=5", 2),
    ] {
        let page = service.get(&format!("/Users?{query}")).await;
        let total = if query.starts_with("filter") { 10 } else { 25 };
        let have = (page.status, page.body["totalResults"].as_u64(), ids(&page).len());
        assert_eq!(have, (200, Some(total), here), "{query}");
    }
    refused(&service.get("/Users?count=ten").await, 400, "invalidValue");
    refused(&service.get("/Users?cursor=").await, 400, "invalidCursor");
}

async fn sorting(service: Service) {
    people(&service).await;
    let names = |answer: &provost_testkit::Answer| -> Vec<String> {
        let list = answer.body["Resources"].as_array().unwrap();
        list.iter().map(|user| user["userName"].as_str().unwrap().to_lowercase()).collect()
    };
    let up = service.get("/Users?sortBy=userName").await;
    assert_eq!(names(&up), ["ada", "bob", "carol", "dave"]);
    let down = service.get("/Users?sortBy=userName&sortOrder=descending&count=2&startIndex=2").await;
    assert_eq!(names(&down), ["carol", "bob"]);
    refused(&service.get("/Users?sortBy=nothing").await, 400, "invalidPath");
}

async fn search_at_the_root(service: Service) {
    people(&service).await;
    service.group("ada", &[]).await;
    let search = async |path: &str, mut body: Value| {
        body["schemas"] = json!([SEARCH]);
        service.send("POST", path, body).await
    };
    let one = search("/Users/.search", json!({ "filter": "userName eq \"ada\"", "attributes": ["userName"] })).await;
    assert_eq!((one.status, &one.body["totalResults"]), (200, &json!(1)));
    assert_eq!(one.body["Resources"][0].get("emails"), None);
    let both = search("/.search", json!({ "filter": "userName eq \"ada\" or displayName eq \"ada\"" })).await;
    assert_eq!(both.body["totalResults"], 2, "{:?}", both.body);
    let group = search("/.search", json!({ "filter": "meta.resourceType eq \"Group\"" })).await;
    assert_eq!((&group.body["totalResults"], group.text("/Resources/0/displayName")), (&json!(1), "ada"));
    for (start, count, here) in [(1, 2, 2), (4, 2, 2), (5, 5, 1), (6, 5, 0), (1, 0, 0)] {
        let page = search("/.search", json!({ "startIndex": start, "count": count })).await;
        assert_eq!((&page.body["totalResults"], ids(&page).len()), (&json!(5), here), "{start} {count}");
    }
    assert_eq!(service.get("/?filter=id+pr").await.body["totalResults"], 5);
    refused(&service.send("POST", "/Users/.search", json!({ "filter": "userName pr" })).await, 400, "invalidSyntax");
}
