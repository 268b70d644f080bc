//! SCIM, against a server that others wrote.

use std::sync::Arc;

use provost_connectors::scim::ScimConnector;
use provost_testkit::{scim2_server, scimmy};
use serde_json::{Value as Json, json};

use super::Trial;

fn sample() -> Json {
    json!({
        "User": {
            "create": { "userName": "kit{n}@example.org", "displayName": "Kit {n}", "name.familyName": "Kit{n}" },
            "key": "userName",
            "free": ["title", "nickName"],
            "read_only": "meta.created",
        },
        "Group": {
            "create": { "displayName": "kit group {n}" },
            "key": "displayName",
            "twins": true,
            "free": ["externalId"],
            "members": { "attribute": "members", "class": "User" },
        },
    })
}

async fn pass(url: String, token: &str, sample: Json, at_least: usize) {
    let trial = Trial {
        connector: Arc::new(ScimConnector::default()),
        base: ".".as_ref(),
        settings: json!({ "url": url, "token": { "secret": "token" } }),
        secrets: &[("token", token)],
        sample,
    };
    trial.pass(at_least).await;
}

#[tokio::test]
async fn a_strict_server() {
    let peer = scim2_server::start().await.unwrap();
    pass(peer.base_url(), peer.token(), sample(), 40).await;
}

#[tokio::test]
async fn a_loose_server() {
    let peer = scimmy::start().await.unwrap();
    let mut sample = sample();
    for class in ["User", "Group"] {
        sample[class]["known"] = json!({ "103": "its filters do not undo the escape of a backslash" });
    }
    pass(peer.base_url(), peer.token(), sample, 40).await;
}
