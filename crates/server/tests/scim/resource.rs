use provost_testkit::http::encode;
use serde_json::{Value, json};

use crate::{ENTERPRISE, GROUP, PATCH, Service, USER, header, ids, on_both, refused};

on_both!(
    members_without_ids,
    a_life,
    names_are_unique,
    replacement_clears_what_is_left_out,
    versions_guard_writes,
    projections,
    members_and_groups,
    applications_and_assignments
);

fn ada() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE, "urn:example:unknown"],
        "id": "mine", "meta": { "resourceType": "Robot" }, "groups": [{ "value": "x" }],
        "username": "Ada@example.org", "externalId": "x-1", "active": "True", "password": "secret!",
        "name": { "givenName": "Ada", "familyName": "Lovelace", "middleName": null },
        "emails": [{ "value": "ada@example.org", "type": "work", "primary": true }],
        "phoneNumbers": [], "title": null, "shoeSize": 38,
        ENTERPRISE: { "department": "Engines", "manager": { "value": "" } },
    })
}

async fn a_life(service: Service) {
    let made = service.send("POST", "/Users", ada()).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let id = made.text("/id").to_owned();
    let path = format!("/Users/{id}");
    let location = format!("http://{}/scim/v2{path}", service.address);
    assert_eq!((header(&made, "location"), made.text("/meta/location")), (&*location, &*location));
    assert_eq!((header(&made, "etag"), made.text("/meta/version")), ("W/\"1\"", "W/\"1\""));
    assert_eq!(made.text("/meta/created"), made.text("/meta/lastModified"));
    assert_eq!(made.body["schemas"], json!([USER, ENTERPRISE]));
    assert_eq!((made.text("/userName"), &made.body["active"]), ("Ada@example.org", &json!(true)));
    for absent in ["password", "groups", "title", "phoneNumbers", "shoeSize"] {
        assert_eq!(made.body.get(absent), None, "{absent}");
    }
    assert_eq!(made.text("/meta/resourceType"), "User");

    let read = service.get(&path).await;
    assert_eq!((read.status, &read.body), (200, &made.body));
    assert_eq!(header(&read, "etag"), "W/\"1\"");

    let gone = service.http.send("DELETE", &path, None).await.unwrap();
    assert_eq!((gone.status, gone.body), (204, Value::Null));
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let body = match method {
            "PATCH" => json!({ "schemas": [crate::PATCH], "Operations": [{ "op": "remove", "path": "title" }] }),
            _ => ada(),
        };
        refused(&service.send(method, &path, body).await, 404, "");
    }
    assert_eq!(service.get("/Users").await.body["totalResults"], 0);
    assert_ne!(service.user("ada@example.org").await, id);
}

async fn names_are_unique(service: Service) {
    service.user("ada").await;
    let other = service.user("bob").await;
    let twin = json!({ "schemas": [USER], "userName": "ADA" });
    refused(&service.send("POST", "/Users", twin.clone()).await, 409, "uniqueness");
    refused(&service.send("PUT", &format!("/Users/{other}"), twin).await, 409, "uniqueness");
    let operations = json!([{ "op": "replace", "path": "userName", "value": "Ada" }]);
    refused(&service.patch(&format!("/Users/{other}"), operations).await, 409, "uniqueness");
    for wrong in [json!({ "schemas": [USER] }), json!({ "schemas": [USER], "userName": "" })] {
        refused(&service.send("POST", "/Users", wrong).await, 400, "invalidValue");
    }
    refused(&service.send("POST", "/Groups", json!({ "schemas": [GROUP] })).await, 400, "invalidValue");
    service.group("staff", &[]).await;
    service.group("staff", &[]).await;
}

async fn replacement_clears_what_is_left_out(service: Service) {
    let made = service.send("POST", "/Users", ada()).await;
    let path = format!("/Users/{}", made.text("/id"));
    let same = service.send("PUT", &path, made.body.clone()).await;
    assert_eq!((same.status, &same.body), (200, &made.body), "putting back what was read changes nothing");

    let less = json!({ "schemas": [USER], "userName": "ada", "title": "Countess" });
    let put = service.send("PUT", &path, less).await;
    assert_eq!((put.status, put.text("/title"), put.text("/meta/version")), (200, "Countess", "W/\"2\""));
    assert_eq!((put.body.get("name"), put.body.get(ENTERPRISE), &put.body["schemas"]), (None, None, &json!([USER])));
    assert_eq!(service.get(&path).await.body, put.body);
    refused(&service.send("PUT", "/Users/none", ada()).await, 404, "");
    refused(&service.send("PUT", &path, json!({ "schemas": [USER] })).await, 400, "invalidValue");
}

async fn versions_guard_writes(service: Service) {
    let path = format!("/scim/v2/Users/{}", service.user("ada").await);
    let body = json!({ "schemas": [USER], "userName": "ada", "title": "Countess" }).to_string();
    let put = async |tag: &str| service.raw("PUT", &path, &[("if-match", tag)], body.clone()).await;
    refused(&put("W/\"7\"").await, 412, "");
    refused(&put("\"nonsense\"").await, 412, "");
    assert_eq!(put("W/\"7\", W/\"1\"").await.text("/meta/version"), "W/\"2\"");
    assert_eq!(put("*").await.text("/meta/version"), "W/\"2\"", "nothing changed");
    refused(&service.raw("DELETE", &path, &[("if-match", "W/\"1\"")], "").await, 412, "");
    let operations = json!({ "schemas": [crate::PATCH], "Operations": [{ "op": "remove", "path": "title" }] });
    refused(&service.raw("PATCH", &path, &[("if-match", "W/\"1\"")], operations.to_string()).await, 412, "");

    for (tag, status) in [("W/\"2\"", 304), ("\"1\", \"2\"", 304), ("*", 304), ("W/\"1\"", 200)] {
        let answer = service.raw("GET", &path, &[("if-none-match", tag)], "").await;
        assert_eq!((answer.status, header(&answer, "etag")), (status, "W/\"2\""), "{tag}");
        assert_eq!(answer.body.is_null(), status == 304);
    }
    assert_eq!(service.raw("DELETE", &path, &[("if-match", "W/\"2\"")], "").await.status, 204);
}

async fn projections(service: Service) {
    let path = format!("/Users/{}", service.send("POST", "/Users", ada()).await.text("/id"));
    let names = |body: &Value| -> Vec<String> { body.as_object().unwrap().keys().cloned().collect() };
    for (query, want) in [
        ("attributes=userName", "schemas id userName"),
        ("attributes=NAME.givenname,emails.type", "schemas id name emails"),
        (&format!("attributes={ENTERPRISE}"), &format!("schemas id {ENTERPRISE}")),
        (&format!("attributes={ENTERPRISE}:department"), &format!("schemas id {ENTERPRISE}")),
        ("excludedAttributes=name,emails,meta,id,active,externalId", &format!("schemas id userName {ENTERPRISE}")),
    ] {
        let answer = service.get(&format!("{path}?{query}")).await;
        let mut want: Vec<&str> = want.split(' ').collect();
        want.sort_unstable();
        let mut have = names(&answer.body);
        have.sort_unstable();
        assert_eq!(have, want, "{query}: {:?}", answer.body);
        let list = service.get(&format!("/Users?{query}")).await;
        assert_eq!(list.body["Resources"][0], answer.body);
        let put = service.send("PUT", &format!("{path}?{query}"), ada()).await;
        assert_eq!(put.body, answer.body);
    }
    refused(&service.get(&format!("{path}?attributes=a&excludedAttributes=b")).await, 400, "invalidValue");
    let body = json!({ "schemas": [USER], "userName": "bob" });
    let made = service.send("POST", "/Users?attributes=userName", body).await;
    assert_eq!((made.status, made.body.get("meta"), made.text("/userName")), (201, None, "bob"));
}

async fn members_and_groups(service: Service) {
    let (ada, bob) = (service.user("ada").await, service.user("bob").await);
    let inner = service.group("inner", &[&ada]).await;
    let outer = service.group("outer", &[&inner, &bob, &bob]).await;
    let base = format!("http://{}/scim/v2", service.address);

    let group = service.get(&format!("/Groups/{outer}")).await;
    let mut want = vec![
        json!({ "value": inner, "$ref": format!("{base}/Groups/{inner}"), "type": "Group" }),
        json!({ "value": bob, "$ref": format!("{base}/Users/{bob}"), "type": "User" }),
    ];
    want.sort_by_key(|member| member["value"].to_string());
    assert_eq!(group.body["members"], json!(want));
    let excluded = service.get(&format!("/Groups/{outer}?excludedAttributes=members")).await;
    assert_eq!(excluded.body.get("members"), None);

    let user = service.get(&format!("/Users/{bob}")).await;
    let groups =
        json!([{ "value": outer, "$ref": format!("{base}/Groups/{outer}"), "display": "outer", "type": "direct" }]);
    assert_eq!(user.body["groups"], groups);
    let listed = service.get("/Users?filter=userName%20eq%20%22bob%22").await;
    assert_eq!(listed.body["Resources"][0]["groups"], groups);
    let of_bob = service.get(&format!("/Groups?filter=members%5Bvalue%20eq%20%22{bob}%22%5D")).await;
    assert_eq!(ids(&of_bob), [&outer]);

    let put = json!({ "schemas": [GROUP], "displayName": "outer", "members": [{ "value": ada }] });
    let put = service.send("PUT", &format!("/Groups/{outer}"), put).await;
    assert_eq!((put.status, put.body["members"].as_array().unwrap().len()), (200, 1));
    assert_eq!(put.text("/members/0/value"), ada);

    service.http.send("DELETE", &format!("/Users/{ada}"), None).await.unwrap();
    assert_eq!(service.get(&format!("/Groups/{outer}")).await.body.get("members"), None);
    let stranger = json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": ada }] });
    // RFC 7643 does not ask a service to know its members; one that it does not have has no address.
    let kept = service.send("POST", "/Groups", stranger).await;
    assert_eq!((kept.status, &kept.body["members"]), (201, &json!([{ "value": ada }])));
    let unresolved = json!({ "schemas": [GROUP], "displayName": "x", "members": [{ "value": "bulkId:x" }] });
    refused(&service.send("POST", "/Groups", unresolved).await, 400, "invalidValue");
}

async fn applications_and_assignments(service: Service) {
    let ada = service.user("ada").await;
    let send = async |method: &str, path: &str, body: Value| {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        service.raw(method, &format!("/api/v1/scim{path}"), &[("content-type", "application/scim+json")], text).await
    };
    let (application, assignment) =
        ("urn:provost:scim:schemas:2.0:Application", "urn:provost:scim:schemas:2.0:Assignment");
    let slack = send("POST", "/Applications", json!({ "schemas": [application], "displayName": "Slack" })).await;
    assert_eq!(slack.status, 201, "{:?}", slack.body);
    let body = |principal: &str| {
        let ends = [("application", slack.text("/id")), ("principal", principal)];
        let ends = ends.map(|(name, id)| (name.to_owned(), json!({ "value": id })));
        let mut body = json!({ "schemas": [assignment], "role": "admin" });
        body.as_object_mut().unwrap().extend(ends);
        body
    };
    let made = send("POST", "/Assignments", body(&ada)).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    assert!(made.text("/meta/location").contains("/api/v1/scim/Assignments/"), "{:?}", made.body);
    refused(&send("POST", "/Assignments", body(&ada)).await, 409, "uniqueness");
    refused(&send("POST", "/Assignments", body("nobody")).await, 400, "invalidValue");
    let query = format!("/Assignments?filter={}", encode(&format!("principal.value eq \"{ada}\"")));
    assert_eq!(send("GET", &query, Value::Null).await.body["totalResults"], 1);
    let path = format!("/Assignments/{}", made.text("/id"));
    let other = json!({ "schemas": [PATCH], "Operations": [
        { "op": "replace", "path": "principal.value", "value": "someone" }] });
    refused(&send("PATCH", &path, other).await, 400, "mutability");
    // To clients that provision people there is no such thing.
    refused(&service.get(&path).await, 404, "");
    assert_eq!(service.get("/").await.body["totalResults"], 1);
    service.http.send("DELETE", &format!("/Users/{ada}"), None).await.unwrap();
    refused(&send("GET", &path, Value::Null).await, 404, "");
}

/// A member that is named by its display alone is nobody: refused wherever it is written, rather than left out unsaid.
async fn members_without_ids(service: Service) {
    let ada = service.user("ada").await;
    let group = |members: Value| json!({ "schemas": [GROUP], "displayName": "Staff", "members": members });
    let path = format!("/Groups/{}", service.group("Staff", &[&ada]).await);
    for members in [
        json!([{ "display": "Ada" }]),
        json!([{ "value": ada }, { "display": "Bob" }]),
        json!([{ "value": null, "display": "Ada" }]),
        json!([{ "value": "", "type": "User" }]),
        json!([{ "$ref": format!("https://x.org/Users/{ada}") }]),
    ] {
        refused(&service.send("POST", "/Groups", group(members.clone())).await, 400, "invalidValue");
        refused(&service.send("PUT", &path, group(members.clone())).await, 400, "invalidValue");
        for operations in [
            json!([{ "op": "add", "path": "members", "value": members }]),
            json!([{ "op": "replace", "value": { "members": members } }]),
            // One that takes all the members to be known.
            json!([{ "op": "remove", "path": "members[type eq \"User\"]" },
                { "op": "add", "path": "members", "value": members }]),
        ] {
            refused(&service.patch(&path, operations).await, 400, "invalidValue");
        }
        let read = service.get(&path).await;
        assert_eq!((read.text("/members/0/value"), read.body["members"].as_array().unwrap().len()), (ada.as_str(), 1));
    }
    assert_eq!(service.get("/Groups").await.body["totalResults"], 1);
    let empty = format!("/Groups/{}", service.group("Empty", &[]).await);
    let part = json!([{ "op": "add", "path": "members.type", "value": "User" }]);
    refused(&service.patch(&empty, part).await, 400, "invalidValue");
    // What says nothing is nobody.
    assert_eq!(service.send("PUT", &path, group(json!([{}, { "value": ada }]))).await.status, 200);
    assert_eq!(service.send("PUT", &path, group(json!(null))).await.status, 200);
}
