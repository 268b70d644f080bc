use serde_json::{Value, json};

use crate::{ENTERPRISE, Service, header, on_both, refused};

on_both!(entra_users, entra_groups, errors_change_nothing, minimal_answers);

async fn entra_users(service: Service) {
    let manager = service.user("boss").await;
    let path = format!("/Users/{}", service.user("ada").await);
    let shapes = [
        json!([{ "op": "Replace", "path": "active", "value": "False" }]),
        json!([{ "op": "Add", "path": "emails[type eq \"work\"].value", "value": "ada@example.org" }]),
        json!([{ "op": "Replace", "value": { "name.givenName": "Ada", "title": "Countess",
            format!("{ENTERPRISE}:employeeNumber"): "1815" } }]),
        json!([{ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": manager }]),
        json!([{ "op": "add", "value": { "name": { "familyName": "Lovelace" } } }]),
        json!([{ "op": "Remove", "path": "title" }]),
    ];
    for (done, operations) in (2..).zip(shapes) {
        let answer = service.patch(&path, operations).await;
        assert_eq!((answer.status, header(&answer, "etag")), (200, &*format!("W/\"{done}\"")), "{:?}", answer.body);
    }
    let user = service.get(&path).await;
    assert_eq!(user.body["active"], json!(false));
    assert_eq!(user.body["emails"], json!([{ "type": "work", "value": "ada@example.org" }]));
    assert_eq!(user.body["name"], json!({ "givenName": "Ada", "familyName": "Lovelace" }));
    assert_eq!((user.body.get("title"), &user.body[ENTERPRISE]["employeeNumber"]), (None, &json!("1815")));
    assert_eq!(user.body[ENTERPRISE]["manager"]["value"], json!(manager));

    let again = service.patch(&path, json!([{ "op": "Replace", "path": "active", "value": "False" }])).await;
    assert_eq!(again.text("/meta/version"), "W/\"7\"", "nothing changed");
    let cleared = service.patch(&path, json!([{ "op": "Remove", "path": ENTERPRISE }])).await;
    assert_eq!(cleared.body.get(ENTERPRISE), None);
}

fn values(answer: &provost_testkit::Answer) -> Vec<String> {
    let members = answer.body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

async fn entra_groups(service: Service) {
    let mut users = Vec::new();
    for number in 0..4 {
        users.push(service.user(&format!("user{number}")).await);
    }
    users.sort_unstable();
    let path = format!("/Groups/{}", service.group("staff", &[]).await);
    let list = |range: &[String]| -> Value { range.iter().map(|id| json!({ "$ref": null, "value": id })).collect() };
    let steps = [
        (json!([{ "op": "Add", "path": "members", "value": list(&users[..3]) }]), &users[..3]),
        (json!([{ "op": "Add", "path": "members", "value": list(&users[2..]) }]), &users[..]),
        (json!([{ "op": "Remove", "path": "members", "value": list(&users[3..]) }]), &users[..3]),
        (
            json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", users[2]) },
                   { "op": "Replace", "path": "displayName", "value": "Staff" }]),
            &users[..2],
        ),
        (json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]), &[]),
        (json!([{ "op": "replace", "value": { "members": list(&users[1..]) } }]), &users[1..]),
        (json!([{ "op": "Remove", "path": "members" }]), &[]),
    ];
    for (operations, want) in steps {
        let answer = service.patch(&path, operations.clone()).await;
        assert_eq!((answer.status, &*values(&answer)), (200, want), "{operations}: {:?}", answer.body);
        assert_eq!(service.get(&path).await.body, answer.body);
    }
    assert_eq!(service.get(&path).await.text("/displayName"), "Staff");
    let all = json!([{ "op": "Add", "path": "members", "value": list(&users) }]);
    let hidden = service.patch(&format!("{path}?excludedAttributes=members"), all).await;
    assert_eq!((hidden.status, hidden.body.get("members")), (200, None));
    assert_eq!(values(&service.get(&path).await), users);
}

async fn errors_change_nothing(service: Service) {
    let path = format!("/Users/{}", service.user("ada").await);
    for (operations, scim_type) in [
        (json!([]), "invalidSyntax"),
        (json!([{ "op": "move", "path": "title" }]), "invalidSyntax"),
        (json!([{ "op": "add", "path": "title" }]), "invalidValue"),
        (json!([{ "op": "add", "path": "nothing", "value": 1 }]), "invalidPath"),
        (json!([{ "op": "add", "path": "a..b", "value": 1 }]), "invalidPath"),
        (json!([{ "op": "add", "path": "emails[type zz 1].value", "value": "x" }]), "invalidFilter"),
        (json!([{ "op": "remove" }]), "noTarget"),
        (json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "x" }]), "noTarget"),
        (json!([{ "op": "replace", "path": "id", "value": "x" }]), "mutability"),
        (json!([{ "op": "remove", "path": "userName" }]), "mutability"),
        (json!([{ "op": "replace", "path": "active", "value": "perhaps" }]), "invalidValue"),
    ] {
        let mut all = vec![json!({ "op": "add", "path": "title", "value": "Countess" })];
        all.extend(operations.as_array().unwrap().clone());
        let all = if operations == json!([]) { operations.clone() } else { json!(all) };
        refused(&service.patch(&path, all).await, 400, scim_type);
    }
    let user = service.get(&path).await;
    assert_eq!((user.body.get("title"), user.text("/meta/version")), (None, "W/\"1\""));
}

async fn minimal_answers(service: Service) {
    let path = format!("/scim/v2/Users/{}", service.user("ada").await);
    let body = json!({ "schemas": [crate::PATCH], "Operations": [{ "op": "add", "path": "title", "value": "x" }] });
    let prefer = [("prefer", "respond-async, return=minimal")];
    let answer = service.raw("PATCH", &path, &prefer, body.to_string()).await;
    assert_eq!((answer.status, header(&answer, "etag"), &answer.body), (204, "W/\"2\"", &Value::Null));
    let answer = service.raw("PATCH", &format!("{path}?attributes=title"), &prefer, body.to_string()).await;
    assert_eq!((answer.status, answer.text("/title")), (200, "x"));
}
