//! LDAP, against Debian's servers.

use std::sync::Arc;

use provost_connectors::ldap::LdapConnector;
use provost_testkit::ds389::{self, Ds389};
use provost_testkit::samba::{self, Samba};
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

#[tokio::test]
async fn ds389_with_changelog() {
    let server = Ds389::start(true).await.unwrap();
    let trial = Trial {
        connector: Arc::new(LdapConnector::default()),
        base: ".".as_ref(),
        settings: json!({
            "url": server.url(),
            "base": ds389::BASE,
            "bind": { "dn": ds389::ADMIN, "password": { "secret": "admin" } },
            "classes": {
                "person": { "base": ds389::PEOPLE, "object_classes": ["inetOrgPerson"] },
                "group": { "base": ds389::GROUPS, "object_classes": ["groupOfNames"] },
            },
        }),
        secrets: &[("admin", ds389::PASSWORD)],
        sample: json!({
            "person": {
                "create": { "uid": "kit{n}", "cn": "Kit {n}", "sn": "Kit" },
                "key": "uid",
                "free": ["description", "title"],
                "many": { "attribute": "mail", "values": ["a@example.org", "b@example.org", "c@example.org"] },
                "read_only": "nsUniqueId",
            },
            "group": {
                "create": { "cn": "kit-group{n}" },
                "key": "cn",
                "free": ["description"],
                "members": { "attribute": "member", "class": "person" },
            },
        }),
    };
    trial.pass(70).await;
}

#[tokio::test]
async fn active_directory() {
    let server = Samba::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), server.authority().pem()).unwrap();
    let trial = Trial {
        connector: Arc::new(LdapConnector::default()),
        base: folder.path(),
        settings: json!({
            "url": server.secure_url(),
            "ca": "ca.pem",
            "base": samba::BASE,
            "bind": { "dn": samba::ADMIN, "password": { "secret": "admin" } },
            "classes": {
                "person": { "base": samba::USERS, "object_classes": ["user"] },
                "group": { "base": samba::GROUPS, "object_classes": ["group"] },
            },
        }),
        secrets: &[("admin", samba::PASSWORD)],
        sample: json!({
            "person": {
                "create": { "cn": "Kit {n}", "sAMAccountName": "kit{n}", "sn": "Kit", "unicodePwd": "Secret-of-kit-{n}" },
                "key": "sAMAccountName",
                "free": ["description", "title"],
                "many": { "attribute": "otherTelephone", "values": ["+1", "+2", "+3"] },
                "read_only": "whenCreated",
            },
            "group": {
                "create": { "cn": "kit-group{n}", "sAMAccountName": "kit-group{n}" },
                "key": "sAMAccountName",
                "free": ["description"],
                "members": { "attribute": "member", "class": "person" },
            },
        }),
    };
    trial.pass(70).await;
}
