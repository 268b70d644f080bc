//! Requests in the shapes that clients of the field send, and what those clients expect of the answers.

use provost_testkit::http::encode;
use serde_json::{Value, json};

use crate::{ENTERPRISE, GROUP, PATCH, Service, USER, header, ids, on_both, refused};

on_both!(entra, entra_with_its_flag, okta, onelogin, authentik, the_microsoft_validator);

async fn send(service: &Service, method: &str, path: &str, media: &str, body: Value) -> provost_testkit::Answer {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    service.raw(method, &format!("/scim/v2{path}"), &[("content-type", media), ("accept-charset", "utf-8")], text).await
}

/// Microsoft Entra ID as it comes: capital ops, Booleans as texts, members removed by a list of values.
async fn entra(service: Service) {
    let probe = service.get("/Users?filter=userName+eq+%22f81d4fae-7dec-11d0-a765-00a0c91e6bf6%22").await;
    assert_eq!((probe.status, &probe.body["totalResults"], ids(&probe).len()), (200, &json!(0), 0));
    let body = json!({
        "schemas": [USER, ENTERPRISE], "externalId": "ada", "userName": "ada@contoso.example", "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "ada@contoso.example" }],
        "meta": { "resourceType": "User" }, "name": { "formatted": "Ada Lovelace", "familyName": "Lovelace" },
        "roles": [], ENTERPRISE: { "department": "Mathematics", "manager": null },
    });
    let made = service.send("POST", "/Users", body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let path = format!("/Users/{}", made.text("/id"));
    let filter = encode(r#"emails[type eq "work"].value eq "ADA@contoso.example""#);
    assert_eq!(ids(&service.get(&format!("/Users?filter={filter}")).await), [made.text("/id")]);
    let off = service.patch(&path, json!([{ "op": "Replace", "path": "active", "value": "False" }])).await;
    assert_eq!((off.status, &off.body["active"]), (200, &json!(false)));
    // Who is switched off is found still.
    let found = service.get("/Users?filter=externalId+eq+%22ada%22+and+active+eq+false").await;
    assert_eq!(ids(&found), [made.text("/id")]);
    // A manager it has not provisioned yet is named by an id that is not there.
    let manager = json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "0b7cb4f4" }]);
    assert_eq!(service.patch(&path, manager).await.status, 200);

    let group = json!({
        "schemas": [GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "8aa1a0c0", "displayName": "Staff", "meta": { "resourceType": "Group" },
    });
    let group = service.send("POST", "/Groups", group).await;
    assert_eq!((group.status, &group.body["schemas"]), (201, &json!([GROUP])));
    let found = service.get("/Groups?excludedAttributes=members&filter=displayName+eq+%22Staff%22").await;
    assert_eq!(ids(&found), [group.text("/id")]);
    let group = format!("/Groups/{}", group.text("/id"));
    for op in ["Add", "Remove"] {
        let members = json!([{ "op": op, "path": "members", "value": [{ "$ref": null, "value": made.text("/id") }] }]);
        let done = service.patch(&group, members).await;
        assert_eq!((done.status, done.body.get("members").is_some()), (200, op == "Add"), "{:?}", done.body);
    }
    let read = service.get(&format!("{group}?excludedAttributes=members")).await;
    assert_eq!((read.status, read.body.get("members")), (200, None));
    assert_eq!(service.http.send("DELETE", &path, None).await.unwrap().status, 204);
    refused(&service.get(&path).await, 404, "");
}

/// With `aadOptscim062020`: lower case, JSON Booleans, `members[value eq …]`, keys with dots and URNs.
async fn entra_with_its_flag(service: Service) {
    let path = format!("/Users/{}", service.user("ada").await);
    let operations = json!([
        { "op": "replace", "path": "active", "value": false },
        { "op": "add", "value": { "name.givenName": "Ada", format!("{ENTERPRISE}:employeeNumber"): "7" } },
        { "op": "replace", "value": { "displayName": "Ada", "name.familyName": "Lovelace" } },
        { "op": "add", "path": "emails[type eq \"work\"].value", "value": "ada@x.org" },
        { "op": "remove", "path": "title" },
    ]);
    let done = service.patch(&path, operations).await;
    assert_eq!((done.status, &done.body["active"]), (200, &json!(false)), "{:?}", done.body);
    assert_eq!(done.body["name"], json!({ "givenName": "Ada", "familyName": "Lovelace" }));
    assert_eq!((done.text("/emails/0/value"), &done.body[ENTERPRISE]["employeeNumber"]), ("ada@x.org", &json!("7")));
    let user = done.text("/id");
    let group = format!("/Groups/{}", service.group("Staff", &[user]).await);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{user}\"]") }]);
    assert_eq!(service.patch(&group, remove.clone()).await.body.get("members"), None);
    assert_eq!(service.patch(&group, remove).await.status, 200, "who is not there is removed already");
}

/// Okta: numbers in lists, PUT for users, activation by a PATCH without path, whole groups by PUT.
async fn okta(service: Service) {
    let media = "application/scim+json; charset=utf-8";
    for probe in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
        let page = service.get(probe).await;
        for name in ["totalResults", "startIndex", "itemsPerPage"] {
            assert!(page.body[name].is_u64(), "{probe} {name}: {:?}", page.body);
        }
    }
    let body = json!({
        "schemas": [USER], "userName": "ada@okta.example", "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "primary": true, "value": "ada@okta.example", "type": "work" }], "displayName": "Ada",
        "locale": "en-US", "externalId": "00ujl29u0le5T6Aj10h7", "groups": [], "password": "1mz050nq", "active": true,
    });
    let made = send(&service, "POST", "/Users", media, body.clone()).await;
    assert_eq!((made.status, made.body.get("password")), (201, None));
    // Repeated after a time-out.
    refused(&send(&service, "POST", "/Users", media, body.clone()).await, 409, "uniqueness");
    let found = service.get("/Users?filter=userName%20eq%20%22ada%40okta.example%22&startIndex=1&count=100").await;
    assert_eq!(ids(&found), [made.text("/id")]);
    let path = format!("/Users/{}", made.text("/id"));
    let mut put = made.body.clone();
    put["name"]["familyName"] = json!("King");
    let put = send(&service, "PUT", &path, media, put).await;
    assert_eq!((put.status, put.text("/name/familyName")), (200, "King"));
    for active in [false, true] {
        let body = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": { "active": active } }] });
        let done = send(&service, "PATCH", &path, media, body).await;
        assert_eq!((done.status, &done.body["active"]), (200, &json!(active)));
    }
    let group = json!({ "schemas": [GROUP], "displayName": "Staff", "members": [] });
    let group = send(&service, "POST", "/Groups", media, group).await;
    let member = json!({ "value": made.text("/id"), "display": "ada@okta.example" });
    let body = json!({ "schemas": [GROUP], "id": group.text("/id"), "displayName": "Staff", "members": [member] });
    let put = send(&service, "PUT", &format!("/Groups/{}", group.text("/id")), media, body).await;
    assert_eq!((put.status, put.text("/members/0/value")), (200, made.text("/id")));
    let operations = json!([
        { "op": "replace", "path": "displayName", "value": "Team" },
        { "op": "remove", "path": format!("members[value eq \"{}\"]", made.text("/id")) },
        { "op": "add", "path": "members", "value": [{ "value": made.text("/id"), "display": "ada@okta.example" }] },
    ]);
    let done = service.patch(&format!("/Groups/{}", group.text("/id")), operations).await;
    assert_eq!((done.status, done.body["members"].as_array().map(Vec::len)), (200, Some(1)));
}

/// OneLogin: `+` for blanks, a stray `&`, and PUT of what was read.
async fn onelogin(service: Service) {
    service.user("ada").await;
    let found = service.raw("GET", "/scim/v2/Users?filter=userName+eq+%22ada%22&", &[], "").await;
    assert_eq!(found.body["totalResults"], 1, "{:?}", found.body);
    let mut user = found.body["Resources"][0].clone();
    user["title"] = json!("Countess");
    let path = format!("/Users/{}", user["id"].as_str().unwrap());
    let put = service.send("PUT", &path, user).await;
    assert_eq!((put.status, put.text("/title")), (200, "Countess"));
}

/// authentik until the middle of 2026: members removed by a list of values, with the media type of plain JSON.
async fn authentik(service: Service) {
    let user = service.user("ada").await;
    let path = format!("/Groups/{}", service.group("Staff", &[&user]).await);
    let body = json!({ "schemas": [PATCH], "Operations": [
        { "op": "remove", "path": "members", "value": [{ "value": user }] }] });
    let done = send(&service, "PATCH", &path, "application/json", body).await;
    assert_eq!((done.status, done.body.get("members")), (200, None));
    let config = service.get("/ServiceProviderConfig").await;
    assert!(config.body["bulk"]["maxOperations"].is_u64() && config.body["patch"]["supported"] == true);
}

/// What Microsoft's SCIM Validator looks at: values come back as they were sent.
async fn the_microsoft_validator(service: Service) {
    let body = json!({
        "schemas": [USER, ENTERPRISE], "userName": "lora@wolf.example", "displayName": "BPKEFTZXFOWP", "title": "HEVJDVMAQSZN",
        "nickName": "OXQCOAWAWEIX", "preferredLanguage": "mg-MG", "locale": "UDFKCYZLEGEE", "timezone": "Antarctica/Mawson",
        "profileUrl": "LUXXKNWBXVVE", "userType": "VNRVGRSAUHJD", "active": true,
        "addresses": [{ "formatted": "KQPUWYXLUOVV", "streetAddress": "1446 Kuphal Ports", "postalCode": "th8 6dx",
            "primary": true, "type": "work", "country": "Mali" }],
        "phoneNumbers": [{ "value": "99-395-1917", "type": "work", "primary": true }],
        ENTERPRISE: { "employeeNumber": "ZPCIZWYJQNBS", "costCenter": "DNJZLKQZXDRK" },
    });
    let made = service.send("POST", "/Users", body.clone()).await;
    assert_eq!((made.status, header(&made, "location")), (201, made.text("/meta/location")), "{:?}", made.body);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(made.body[name], *value, "{name}");
    }
    let path = format!("/Users/{}", made.text("/id"));
    let operations = json!([
        { "op": "add", "value": { "name.givenName": "Lora", "name.familyName": "Wolf", "timezone": "Asia/Kathmandu" } },
        { "op": "replace", "path": "addresses[type eq \"work\"].country", "value": "Niue" },
        { "op": "add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1-234" },
    ]);
    let done = service.patch(&path, operations).await;
    assert_eq!(
        (done.status, done.text("/timezone"), done.text("/addresses/0/country")),
        (200, "Asia/Kathmandu", "Niue")
    );
    assert_eq!(done.body["phoneNumbers"].as_array().unwrap().len(), 2);
}
