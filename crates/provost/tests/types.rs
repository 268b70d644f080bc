//! The resource types of `examples/scim-types` in a running service: made, changed and found.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod run;
#[path = "push/service.rs"]
mod service;

use serde_json::{Value, json};
use service::Hr;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/scim-types");
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0";
const EXTENSION: &str = "urn:ietf:params:scim:schemas:extension";

/// A service with the example's configuration.
async fn serve() -> Hr {
    let mut service = Hr::on_sqlite().await;
    service.copy(EXAMPLE.as_ref());
    service.run(&["config", "check"]);
    service.serve().await;
    service
}

async fn created(service: &Hr, endpoint: &str, body: &Value) -> Value {
    let made = service.ask("POST", &format!("/scim/v2/{endpoint}"), Some(body)).await;
    assert_eq!(made.status, 201, "{endpoint}: {:?}", made.body);
    made.body
}

async fn patched(service: &Hr, endpoint: &str, id: &Value, operations: Value) -> Value {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let path = format!("/scim/v2/{endpoint}/{}", id.as_str().unwrap());
    let answer = service.ask("PATCH", &path, Some(&body)).await;
    assert_eq!(answer.status, 200, "{endpoint}: {:?}", answer.body);
    answer.body
}

/// The ids of what satisfies a filter.
async fn found(service: &Hr, endpoint: &str, filter: &str) -> Vec<Value> {
    let path = format!("/scim/v2/{endpoint}?filter={}", provost_testkit::http::encode(filter));
    let answer = service.ask("GET", &path, None).await;
    assert_eq!(answer.status, 200, "{filter}: {:?}", answer.body);
    answer.body["Resources"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices() {
    let service = serve().await;
    let ble = format!("{EXTENSION}:ble:2.0:Device");
    let passkey = format!("{EXTENSION}:pairingPassKey:2.0:Device");
    let apps = format!("{EXTENSION}:endpointAppsExt:2.0:Device");
    let app = json!({
        "schemas": [format!("{CORE}:EndpointApp")], "applicationType": "deviceControl", "applicationName": "Control",
        "certificateInfo": { "rootCA": "MIIB", "subjectName": "www.example.org" },
    });
    let app = created(&service, "EndpointApps", &app).await;
    let monitor = json!({
        "schemas": [format!("{CORE}:Device"), ble, apps],
        "displayName": "BLE monitor",
        "active": false,
        "mudUrl": "https://example.org/mud.json",
        ble.clone(): {
            "versionSupport": ["5.3"], "deviceMacAddress": "2C:54:91:88:C9:E2", "isRandom": false, "mobility": true,
            "irk": "0123456789", "pairingMethods": [passkey], passkey.clone(): { "key": 123456 },
        },
        apps.clone(): { "applications": [{ "value": app["id"] }] },
    });
    let device = created(&service, "Devices", &monitor).await;
    assert_eq!(device[&ble][&passkey]["key"], 123_456, "{device}");
    assert_eq!(device[&ble]["irk"], Value::Null, "{device}");
    assert_eq!((&device["mudUrl"], &device[&apps]), (&monitor["mudUrl"], &monitor[&apps]));
    assert_eq!(device["meta"]["resourceType"], "Device");

    let on = json!([
        { "op": "replace", "path": "active", "value": true },
        { "op": "add", "path": format!("{ble}:versionSupport"), "value": ["5.4"] },
    ]);
    let device = patched(&service, "Devices", &device["id"], on).await;
    assert_eq!((&device["active"], &device[&ble]["versionSupport"]), (&json!(true), &json!(["5.3", "5.4"])));
    for filter in [
        "active eq true".to_owned(),
        "displayName sw \"BLE\"".to_owned(),
        format!("{ble}:deviceMacAddress eq \"2c:54:91:88:c9:e2\""),
    ] {
        assert_eq!(found(&service, "Devices", &filter).await, [device["id"].clone()], "{filter}");
    }
    // One by each of the other ways; a device needs `active`, an extension what is required in it.
    for (name, extension) in [
        (
            "dpp",
            json!({ "dppVersion": 2, "bootstrappingMethod": ["QR"], "bootstrapKey": "MDkw", "classChannel": ["81/1"] }),
        ),
        ("ethernet-mab", json!({ "deviceMacAddress": "2C:54:91:88:C9:E3" })),
        ("fido-device-onboard", json!({ "fdoVoucher": "-----BEGIN OWNERSHIP VOUCHER-----" })),
        ("zigbee", json!({ "versionSupport": ["3.0"], "deviceEui64Address": "50:32:5F:FF:FE:E7:67:28" })),
    ] {
        let urn = format!("{EXTENSION}:{name}:2.0:Device");
        let body = json!({ "schemas": [format!("{CORE}:Device"), urn], "active": true, urn.clone(): extension });
        created(&service, "Devices", &body).await;
    }
    assert_eq!(found(&service, "Devices", "active eq true").await.len(), 5);
    let group = json!({
        "schemas": [format!("{CORE}:Group")], "displayName": "Ward 7",
        "members": [{ "value": device["id"], "type": "Device" }],
    });
    created(&service, "Groups", &group).await;
    let path = format!("/scim/v2/Devices/{}", device["id"].as_str().unwrap());
    assert_eq!(service.ask("GET", &path, None).await.body["groups"][0]["display"], "Ward 7");
    for wrong in [
        json!({ "schemas": [format!("{CORE}:Device")], "displayName": "x" }),
        json!({ "schemas": [format!("{CORE}:Device")], "active": true, ble: { "versionSupport": ["5.3"] } }),
    ] {
        assert_eq!(service.ask("POST", "/scim/v2/Devices", Some(&wrong)).await.status, 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_entitlements() {
    let service = serve().await;
    for (endpoint, kind) in [("Roles", "Role"), ("Entitlements", "Entitlement")] {
        let body = json!({
            "schemas": [format!("{CORE}:{kind}")], "value": "admin", "display": "Administrator", "type": "console",
            "supported": true, "limitedAssignmentsPermitted": true, "totalAssignmentsPermitted": 5, "contains": ["reader"],
        });
        let made = created(&service, endpoint, &body).await;
        assert_eq!(made["contains"], json!(["reader"]));
        let used = json!([{ "op": "add", "value": { "totalAssignmentsUsed": 3, "contains": ["reader", "writer"] } }]);
        let changed = patched(&service, endpoint, &made["id"], used).await;
        assert_eq!((&changed["totalAssignmentsUsed"], changed["contains"].as_array().unwrap().len()), (&json!(3), 2));
        for filter in
            ["value eq \"admin\"", "supported eq true and totalAssignmentsUsed lt 5", "contains eq \"writer\""]
        {
            assert_eq!(found(&service, endpoint, filter).await, [made["id"].clone()], "{filter}");
        }
        let nameless = json!({ "schemas": [format!("{CORE}:{kind}")], "supported": true });
        assert_eq!(service.ask("POST", &format!("/scim/v2/{endpoint}"), Some(&nameless)).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_and_their_applications() {
    let service = serve().await;
    let portal = json!({
        "schemas": [format!("{CORE}:AgenticApplication")], "name": "Assistants", "active": true,
        "applicationUrls": [{ "type": "homepage", "primary": true, "value": "https://assistants.example.org" }],
        "oAuthConfiguration": [{ "clientId": "0oa1", "issuerUri": "https://idp.example.org", "redirectUri": ["https://a.example.org/cb"] }],
        "lastAccessed": "2026-03-01T08:00:00Z",
    });
    let portal = created(&service, "AgenticApplications", &portal).await;
    assert_eq!(portal["oAuthConfiguration"][0]["redirectUri"], json!(["https://a.example.org/cb"]));
    let agent = json!({
        "schemas": [format!("{CORE}:Agent")], "externalId": "h1", "name": "Helpdesk bot", "active": true, "agentType": "Assistant",
        "subject": "helpdesk-1", "applications": [{ "value": portal["id"], "display": "Assistants" }],
        "protocols": [{ "type": "A2A", "specificationUrl": "https://a.example.org/.well-known/agent-card.json" }],
        "roles": [{ "value": "reader", "primary": true }],
    });
    let agent = created(&service, "Agents", &agent).await;
    let operations = json!([
        { "op": "replace", "path": "active", "value": false },
        { "op": "add", "path": "protocols", "value": [{ "type": "MCP-Server" }] },
        { "op": "add", "path": "owners", "value": [{ "value": "somebody" }] },
    ]);
    let agent = patched(&service, "Agents", &agent["id"], operations).await;
    assert_eq!((&agent["active"], agent["protocols"].as_array().unwrap().len()), (&json!(false), 2));
    for filter in [
        "name eq \"helpdesk bot\"",
        "externalId eq \"h1\"",
        "subject eq \"helpdesk-1\"",
        "protocols[type eq \"A2A\"]",
        "owners.value eq \"somebody\" and active eq false",
    ] {
        assert_eq!(found(&service, "Agents", filter).await, [agent["id"].clone()], "{filter}");
    }
    let join = json!([{ "op": "add", "path": "agents", "value": [{ "value": agent["id"], "type": "owned" }] }]);
    let portal = patched(&service, "AgenticApplications", &portal["id"], join).await;
    let by_agent = format!("agents.value eq \"{}\"", agent["id"].as_str().unwrap());
    let by_url = "applicationUrls.value eq \"https://assistants.example.org\"".to_owned();
    for filter in [by_agent, by_url, "name eq \"Assistants\"".to_owned()] {
        assert_eq!(found(&service, "AgenticApplications", &filter).await, [portal["id"].clone()], "{filter}");
    }
    let types = service.ask("GET", "/scim/v2/ResourceTypes", None).await;
    assert_eq!(types.body["totalResults"], 8, "{:?}", types.body);
}
