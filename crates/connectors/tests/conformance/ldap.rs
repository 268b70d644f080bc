//! LDAP, against Debian's servers.

use std::sync::Arc;

use provost_connectors::ldap::LdapConnector;
use provost_testkit::slapd::{self, Slapd};
use serde_json::json;

use super::Trial;

#[tokio::test]
async fn openldap() {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    let trial = Trial {
        connector: Arc::new(LdapConnector::default()),
        base: ".".as_ref(),
        settings: json!({
            "url": server.url(),
            "base": slapd::BASE,
            "bind": { "dn": slapd::ADMIN, "password": { "secret": "admin" } },
            "classes": {
                "person": {
                    "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"],
                    "enabled": { "attribute": "employeeType", "on": "active", "off": "gone" },
                },
                "group": { "base": slapd::GROUPS, "object_classes": ["groupOfNames"] },
            },
        }),
        secrets: &[("admin", slapd::PASSWORD)],
        sample: json!({
            "person": {
                "create": { "uid": "kit{n}", "cn": "Kit {n}", "sn": "Kit" },
                "key": "uid",
                "free": ["description", "title"],
                "many": { "attribute": "mail", "values": ["a@example.org", "b@example.org", "c@example.org"] },
                "read_only": "createTimestamp",
            },
            "group": {
                "create": { "cn": "kit-group{n}" },
                "key": "cn",
                "free": ["description"],
                "members": { "attribute": "member", "class": "person" },
            },
        }),
    };
    trial.pass(60).await;
}
