use serde_json::{Value, json};

use crate::{ENTERPRISE, GROUP, PATCH, Service, USER, on_both, refused};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

on_both!(
    each_method,
    references_in_any_order,
    circles,
    circles_that_stop,
    circles_that_name_nobody,
    texts_that_are_no_references,
    versions,
    failures,
    stops_at_errors,
    many_at_once,
    what_is_too_much
);

async fn bulk(service: &Service, operations: Value) -> Vec<Value> {
    let body = json!({ "schemas": [BULK], "Operations": operations });
    let answer = service.send("POST", "/Bulk", body).await;
    assert_eq!((answer.status, answer.text("/schemas/0")), (200, "urn:ietf:params:scim:api:messages:2.0:BulkResponse"));
    answer.body["Operations"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

fn id(result: &Value) -> &str {
    result["location"].as_str().unwrap().rsplit_once('/').unwrap().1
}

fn user(name: &str, id: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": id, "data": { "schemas": [USER], "userName": name } })
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": format!("bulkId:{id}") })).collect();
    json!({ "method": "POST", "path": "/Groups", "bulkId": name,
        "data": { "schemas": [GROUP], "displayName": name, "members": members } })
}

async fn members(service: &Service, id: &str) -> Vec<String> {
    let group = service.get(&format!("/Groups/{id}")).await;
    let members = group.body["members"].as_array().cloned().unwrap_or_default();
    let mut members: Vec<_> = members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect();
    members.sort_unstable();
    members
}

async fn each_method(service: Service) {
    let (ada, bob, cy) = (service.user("ada").await, service.user("bob").await, service.user("cy").await);
    let version = service.get(&format!("/Users/{ada}")).await.text("/meta/version").to_owned();
    let results = bulk(
        &service,
        json!([
            user("dora", "d"),
            { "method": "PUT", "path": format!("/Users/{ada}"), "version": version,
              "data": { "schemas": [USER], "userName": "ada", "title": "Countess" } },
            { "method": "PATCH", "path": format!("/Users/{bob}"), "bulkId": "mine",
              "data": { "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": "x" }] } },
            { "method": "DELETE", "path": format!("/Users/{cy}") },
            { "method": "PATCH", "path": format!("/Users/{ada}"), "version": version,
              "data": { "schemas": [PATCH], "Operations": [{ "op": "remove", "path": "title" }] } },
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "200", "200", "204", "412"]);
    let methods: Vec<_> = results.iter().map(|result| result["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["POST", "PUT", "PATCH", "DELETE", "PATCH"]);
    assert_eq!((&results[0]["bulkId"], &results[2]["bulkId"]), (&json!("d"), &json!("mine")));
    assert_eq!((&results[0]["version"], &results[1]["version"]), (&json!("W/\"1\""), &json!("W/\"2\"")));
    assert_eq!((id(&results[1]), id(&results[3]), id(&results[4])), (ada.as_str(), cy.as_str(), ada.as_str()));
    assert_eq!(results[4]["response"]["status"], "412");
    assert_eq!(service.get(&format!("/Users/{ada}")).await.text("/title"), "Countess");
    assert_eq!(service.get(&format!("/Users/{}", id(&results[0]))).await.text("/userName"), "dora");
    refused(&service.get(&format!("/Users/{cy}")).await, 404, "");
}

async fn references_in_any_order(service: Service) {
    let mut boss = user("report", "r");
    boss["data"]["schemas"] = json!([USER, ENTERPRISE]);
    boss["data"][ENTERPRISE] = json!({ "manager": { "value": "bulkId:m" } });
    let results = bulk(
        &service,
        json!([
            group("staff", &["a", "b"]),
            boss,
            user("ada", "a"),
            user("bob", "b"),
            user("manager", "m"),
            { "method": "PATCH", "path": "/Groups/bulkId:staff", "data": { "schemas": [PATCH], "Operations": [
                { "op": "remove", "path": "members[value eq \"bulkId:a\"]" },
                { "op": "add", "path": "members", "value": [{ "value": "bulkId:m" }] }] } },
            { "method": "DELETE", "path": "/Users/bulkId%3Ab" },
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["201", "201", "201", "201", "201", "200", "204"]);
    assert_eq!(members(&service, id(&results[0])).await, [id(&results[4])]);
    let report = service.get(&format!("/Users/{}", id(&results[1]))).await;
    assert_eq!(report.body[ENTERPRISE]["manager"]["value"], id(&results[4]));
}

/// Groups in each other, one in itself, and an extension's reference back: first made, then linked.
async fn circles(service: Service) {
    let results =
        bulk(&service, json!([group("a", &["b", "u"]), group("b", &["a"]), group("c", &["c"]), user("u", "u")])).await;
    assert_eq!(statuses(&results), ["201", "201", "201", "201"]);
    let ids: Vec<&str> = results.iter().map(id).collect();
    let mut want = vec![ids[1].to_owned(), ids[3].to_owned()];
    want.sort_unstable();
    assert_eq!(members(&service, ids[0]).await, want);
    assert_eq!(members(&service, ids[1]).await, [ids[0]]);
    assert_eq!(members(&service, ids[2]).await, [ids[2]]);
    let stored = service.get(&format!("/Groups/{}", ids[0])).await;
    assert_eq!(results[0]["version"], stored.body["meta"]["version"], "of the resource as it is now");
    let managers = |name: &str, of: &str| {
        let mut made = user(name, name);
        made["data"]["schemas"] = json!([USER, ENTERPRISE]);
        made["data"][ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{of}") }, "department": "x" });
        made
    };
    let results = bulk(&service, json!([managers("x", "y"), managers("y", "x")])).await;
    assert_eq!(statuses(&results), ["201", "201"]);
    for (one, other) in [(0, 1), (1, 0)] {
        let user = service.get(&format!("/Users/{}", id(&results[one]))).await;
        let want = json!({ "department": "x", "manager": { "value": id(&results[other]) } });
        assert_eq!(user.body[ENTERPRISE], want);
    }
}

/// Two who need each other, of whom one fails where the request ends at an error: the other is not called whole.
async fn circles_that_stop(service: Service) {
    service.user("taken").await;
    let body = json!({ "schemas": [BULK], "failOnErrors": 1, "Operations": [group("a", &["b"]), { "method": "POST",
        "path": "/Users", "bulkId": "b", "data": { "schemas": [USER, ENTERPRISE], "userName": "taken",
        ENTERPRISE: { "manager": { "value": "bulkId:a" } } } }] });
    let answer = service.send("POST", "/Bulk", body).await;
    let results = answer.body["Operations"].as_array().unwrap();
    assert_eq!(statuses(results), ["409", "409"], "{results:?}");
    assert_eq!(members(&service, id(&results[0])).await, [""; 0]);
}

/// Who needs each other is made only when all that they name besides can be there: not who was never sent, not who was
/// refused, also by way of another circle.
async fn circles_that_name_nobody(service: Service) {
    service.user("taken").await;
    let lists = [
        (json!([group("a", &["b", "nobody"]), group("b", &["a"])]), &["409", "409"][..]),
        (json!([group("a", &["b"]), group("b", &["a", "nobody"]), user("u", "u")]), &["409", "409", "201"]),
        (json!([group("a", &["a", "nobody"]), group("w", &["a"])]), &["409", "409"]),
        (json!([group("a", &["b", "t"]), group("b", &["a"]), user("taken", "t")]), &["409", "409", "409"]),
        (
            json!([group("a", &["b", "c"]), group("b", &["a"]), group("c", &["d"]), group("d", &["c", "nobody"])]),
            &["409", "409", "409", "409"],
        ),
    ];
    for (operations, want) in lists {
        let results = bulk(&service, operations).await;
        assert_eq!(statuses(&results), want, "{results:?}");
        for result in results.iter().filter(|result| result["status"] == "409") {
            assert_eq!(result.get("location"), None, "{result}");
        }
        assert_eq!(service.get("/Groups").await.body["totalResults"], 0, "{results:?}");
    }
}

/// A name may begin as a reference does.
async fn texts_that_are_no_references(service: Service) {
    let mut odd = group("odd", &["u"]);
    odd["data"]["displayName"] = json!("bulkId:x");
    let mut named = user("bulkId:u", "u");
    named["data"]["title"] = json!("bulkId:nobody");
    let rename = json!({ "method": "PATCH", "path": "/Users/bulkId:u", "data": { "schemas": [PATCH],
        "Operations": [{ "op": "replace", "path": "nickName", "value": "bulkId:odd" },
            { "op": "add", "value": { "displayName": "say \"bulkId:odd\"" } }] } });
    let results = bulk(&service, json!([odd, named, rename])).await;
    assert_eq!(statuses(&results), ["201", "201", "200"], "{results:?}");
    let stored = service.get(&format!("/Groups/{}", id(&results[0]))).await;
    assert_eq!(stored.text("/displayName"), "bulkId:x");
    assert_eq!(members(&service, id(&results[0])).await, [id(&results[1])]);
    let stored = service.get(&format!("/Users/{}", id(&results[1]))).await;
    let texts = ["/userName", "/title", "/nickName", "/displayName"].map(|part| stored.text(part));
    assert_eq!(texts, ["bulkId:u", "bulkId:nobody", "bulkId:odd", "say \"bulkId:odd\""]);
}

/// As in `If-Match`: any version, one of a list; what is no text is refused rather than passed over.
async fn versions(service: Service) {
    let ada = service.user("ada").await;
    for (version, want) in [
        (json!("*"), "200"),
        (json!("W/\"77\", W/\"2\""), "200"),
        (json!("\"77\",\"78\""), "412"),
        (json!(" W/\"3\""), "200"),
        (json!("three"), "412"),
        (json!(99), "400"),
        (json!(["W/\"4\""]), "400"),
        (json!(null), "200"),
    ] {
        let before = service.get(&format!("/Users/{ada}")).await;
        let title = format!("under {version}");
        let operation = json!({ "method": "PATCH", "path": format!("/Users/{ada}"), "version": version,
            "data": { "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": title }] } });
        let results = bulk(&service, json!([operation])).await;
        assert_eq!(statuses(&results), [want], "{version}: {results:?}");
        let after = service.get(&format!("/Users/{ada}")).await;
        assert_eq!(after.text("/title") == title, want == "200", "{version}");
        assert_eq!(after.body == before.body, want != "200", "{version}");
    }
    let gone = json!({ "method": "DELETE", "path": format!("/Users/{ada}"), "version": "*" });
    assert_eq!(statuses(&bulk(&service, json!([gone.clone(), gone])).await), ["204", "404"]);
}

async fn failures(service: Service) {
    service.user("taken").await;
    let results = bulk(
        &service,
        json!([
            user("taken", "t"),
            group("g", &["t"]),
            group("h", &["nobody"]),
            { "method": "PATCH", "path": "/Users/bulkId:t", "data": { "schemas": [PATCH], "Operations": [] } },
            { "method": "DELETE", "path": "/Users/none" },
            { "method": "POST", "path": "/Robots", "bulkId": "x", "data": {} },
            { "method": "POST", "path": "/Users", "data": {} },
            user("one", "twice"),
            user("two", "twice"),
            user("fine", "f"),
        ]),
    )
    .await;
    assert_eq!(statuses(&results), ["409", "409", "409", "409", "404", "404", "400", "201", "400", "201"]);
    assert_eq!(results[0].get("location"), None);
    assert_eq!(results[0]["response"]["scimType"], "uniqueness");
    assert!(results[4]["location"].as_str().unwrap().ends_with("/Users/none"));
    // What never resolves is not stored as text.
    assert_eq!(service.get("/Groups").await.body["totalResults"], 0);
}

async fn stops_at_errors(service: Service) {
    let operations = json!([user("a", "a"), user("a", "b"), user("c", "c"), user("a", "d"), user("e", "e")]);
    let body = json!({ "schemas": [BULK], "failOnErrors": 2, "Operations": operations });
    let answer = service.send("POST", "/Bulk", body).await;
    assert_eq!(statuses(answer.body["Operations"].as_array().unwrap()), ["201", "409", "201", "409"]);
    assert_eq!(service.get("/Users").await.body["totalResults"], 2);
}

async fn many_at_once(service: Service) {
    let mut operations: Vec<Value> = (0..900).map(|number| user(&format!("u{number}"), &format!("{number}"))).collect();
    let all: Vec<String> = (0..900).map(|number| number.to_string()).collect();
    operations.insert(450, group("all", &all.iter().map(String::as_str).collect::<Vec<_>>()));
    let results = bulk(&service, json!(operations)).await;
    assert!(results.iter().all(|result| result["status"] == "201"));
    assert_eq!(members(&service, id(&results[450])).await.len(), 900);
}

async fn what_is_too_much(service: Service) {
    let operations: Vec<Value> = (0..1001).map(|number| user(&format!("u{number}"), &format!("{number}"))).collect();
    let many = service.send("POST", "/Bulk", json!({ "schemas": [BULK], "Operations": operations })).await;
    refused(&many, 413, "");
    assert!(many.text("/detail").contains("maxOperations is 1000"), "{:?}", many.body);
    let mut long = user("long", "l");
    long["data"]["title"] = json!("x".repeat(5 << 20));
    let long = service.send("POST", "/Bulk", json!({ "schemas": [BULK], "Operations": [long] })).await;
    refused(&long, 413, "");
    assert!(long.text("/detail").contains("maxPayloadSize is 4194304"), "{:?}", long.body);
    assert_eq!(service.get("/Users").await.body["totalResults"], 0);
    refused(&service.send("POST", "/Bulk", json!({ "Operations": [] })).await, 400, "invalidSyntax");
    refused(&service.get("/Bulk").await, 405, "");
    let config = service.get("/ServiceProviderConfig").await;
    assert_eq!(config.body["bulk"], json!({ "supported": true, "maxOperations": 1000, "maxPayloadSize": 4194304 }));
}
