use std::sync::Arc;

use provost_connector::Secret;
use provost_model::Timestamp;
use provost_model::clock::ManualClock;
use provost_server::Token;
use provost_store::Store;
use provost_testkit::http::encode;
use serde_json::{Value, json};

use crate::{ENTERPRISE, SEARCH, Service, TOKEN, USER, ids, on_both, refused};

on_both!(filters, pages, cursors, wrong_cursors, sorting, search_at_the_root);

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
}

/// Goes through all pages; the ids in the order they came, and the number of pages.
async fn walk(service: &Service, path: &str) -> (Vec<String>, usize) {
    let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = service.get(&format!("{path}{sign}cursor={cursor}")).await;
        assert_eq!((page.status, page.body.get("startIndex")), (200, None), "{:?}", page.body);
        let resources = page.body["Resources"].as_array().unwrap();
        assert_eq!(page.body["itemsPerPage"], resources.len());
        seen.extend(resources.iter().map(|each| each["id"].as_str().unwrap().to_owned()));
        pages += 1;
        match page.body.get("nextCursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => return (seen, pages),
        }
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{cursor}");
    }
}

async fn cursors(service: Service) {
    people(&service).await;
    for name in ["eve", "fay", "Gus"] {
        service.user(name).await;
    }
    let group = service.group("staff", &[]).await;
    let all = service.get("/Users").await;
    let all: Vec<String> = ids(&all).into_iter().map(str::to_owned).collect();
    for (count, pages) in [(1, 7), (2, 4), (7, 1), (100, 1)] {
        assert_eq!(walk(&service, &format!("/Users?count={count}")).await, (all.clone(), pages));
    }
    let (title, _) = walk(&service, "/Users?filter=title+pr&count=3").await;
    assert_eq!(title.len(), 4);
    for order in ["ascending", "descending"] {
        let query = format!("/Users?sortBy=title&sortOrder={order}");
        let sorted = service.get(&query).await;
        let sorted: Vec<&str> =
            sorted.body["Resources"].as_array().unwrap().iter().map(|each| each["id"].as_str().unwrap()).collect();
        assert_eq!(walk(&service, &format!("{query}&count=2")).await.0, sorted, "{order}");
    }
    // Over all types, a page at a time, also where a page ends with a type.
    for count in [3, 7, 8] {
        let (seen, _) = walk(&service, &format!("/?count={count}")).await;
        assert_eq!(seen, [all.clone(), vec![group.clone()]].concat());
    }
    // The total is there where it costs nothing to know.
    assert_eq!(service.get("/Users?cursor=&count=2").await.body["totalResults"], 7);
    assert_eq!(service.get("/Users?cursor=&count=2&filter=title+pr").await.body.get("totalResults"), None);
    assert_eq!(service.get("/Users?cursor=&count=0&filter=title+pr").await.body["totalResults"], 4);
    // What comes and goes meanwhile neither hides nor repeats others.
    let first = service.get("/Users?cursor=&count=3").await;
    service.send("DELETE", &format!("/Users/{}", all[2]), Value::Null).await;
    service.send("DELETE", &format!("/Users/{}", all[4]), Value::Null).await;
    let late = service.user("zed").await;
    let rest = service.get(&format!("/Users?count=3&cursor={}", first.text("/nextCursor"))).await;
    assert_eq!(ids(&rest), [all[3].as_str(), all[5].as_str(), all[6].as_str()]);
    let end = service.get(&format!("/Users?count=3&cursor={}", rest.text("/nextCursor"))).await;
    assert_eq!(ids(&end), [late]);
    let body = json!({ "schemas": [SEARCH], "cursor": rest.text("/nextCursor"), "count": 3 });
    assert_eq!(ids(&service.send("POST", "/Users/.search", body).await), ids(&end));
}

async fn wrong_cursors(service: Service) {
    people(&service).await;
    let cursor = service.get("/Users?cursor=&count=2&filter=title+pr").await.text("/nextCursor").to_owned();
    let mut forged = cursor.clone().into_bytes();
    forged[5] = if forged[5] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for (query, keyword) in [
        (format!("/Users?cursor={forged}&count=2&filter=title+pr"), "invalidCursor"),
        ("/Users?cursor=abc&count=2".into(), "invalidCursor"),
        ("/Users?cursor=%00%ff&count=2".into(), "invalidCursor"),
        (format!("/Users?cursor={cursor}&count=2"), "invalidCursor"),
        (format!("/Users?cursor={cursor}&count=2&filter=title+pr&sortBy=title"), "invalidCursor"),
        (format!("/Users?cursor={cursor}&count=2&filter=title+pr&attributes=title"), "invalidCursor"),
        (format!("/Groups?cursor={cursor}&count=2&filter=title+pr"), "invalidCursor"),
        (format!("/Users?cursor={cursor}&count=3&filter=title+pr"), "invalidCount"),
        (format!("/Users?cursor={cursor}&filter=title+pr"), "invalidCount"),
    ] {
        refused(&service.get(&query).await, 400, keyword);
    }
    let cursor = service.get("/Users?cursor=&count=2").await.text("/nextCursor").to_owned();
    refused(&service.get(&format!("/Groups?cursor={cursor}&count=2")).await, 400, "invalidCursor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_expire() {
    let clock = ManualClock::at(Timestamp::from_second(1_700_000_000).unwrap());
    let store = Store::open("sqlite::memory:").await.unwrap();
    let service = Service::start(store, Arc::new(clock.clone()), Token::Fixed(Secret::new(TOKEN))).await;
    people(&service).await;
    let cursor = service.get("/Users?cursor=&count=2").await.text("/nextCursor").to_owned();
    clock.advance_ms(3_599_000);
    let query = format!("/Users?cursor={cursor}&count=2");
    assert_eq!(service.get(&query).await.status, 200);
    clock.advance_ms(1_000);
    refused(&service.get(&query).await, 400, "expiredCursor");
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
