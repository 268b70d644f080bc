//! Who is trusted, and how one signs in, over real TLS with OpenLDAP; and what is done when a server is away.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap_support;

use std::path::Path;

use ldap_support::{admin, cx, read, try_open};
use provost_connector::{CheckStatus, Connector as _, ErrorCode, ScanRequest, Settings};
use provost_connectors::ldap::LdapConnector;
use provost_testkit::authority::Authority;
use provost_testkit::free_port;
use provost_testkit::slapd::{self, Slapd};
use serde_json::{Value as Json, json};

/// A server with a certificate for `localhost` alone, which lets the bearer of another one in as the administrator.
async fn start(folder: &Path) -> (Slapd, String) {
    let authority = Authority::new().unwrap();
    let own = authority.issue("provost", &["provost.example.org"]).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("other.pem"), Authority::new().unwrap().pem()).unwrap();
    std::fs::write(folder.join("own.pem"), &own.certificate).unwrap();
    let options = slapd::Options {
        global: vec![format!("authz-regexp \"cn=provost\" \"{}\"", slapd::ADMIN)],
        tls: Some((authority.issue("localhost", &["localhost"]).unwrap(), authority.pem().to_owned())),
        ..slapd::Options::default()
    };
    (Slapd::start(&options).await.unwrap(), own.key)
}

fn localhost(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

fn laid_over(mut values: Json, more: Json) -> Json {
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

#[tokio::test]
async fn only_a_trusted_server_gets_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = start(folder.path()).await;
    let (plain, secure) = (localhost(server.url()), localhost(server.secure_url().unwrap()));
    let secrets = [("admin", slapd::PASSWORD)];
    let open = async |url: &str, more: Json| {
        try_open(admin(url, slapd::BASE, slapd::ADMIN, more), folder.path(), &secrets).await
    };
    for (url, more) in [(&secure, json!({ "ca": "ca.pem" })), (&plain, json!({ "ca": "ca.pem", "start_tls": true }))] {
        let session = open(url, more).await.unwrap();
        assert!(read(session.as_ref(), ScanRequest::full("person")).await.unwrap().end.complete);
        let checks = session.test(&cx()).await;
        assert!(checks.iter().all(|check| check.status == CheckStatus::Ok), "{checks:?}");
    }
    let session = open(&plain, json!({})).await.unwrap();
    let checks = session.test(&cx()).await;
    assert!(checks.iter().any(|check| check.name == "encryption" && check.status == CheckStatus::Warn), "{checks:?}");
    // Another authority, the system's, a name that the certificate is not for.
    let address = server.secure_url().unwrap();
    for (url, more) in [
        (secure.as_str(), json!({ "ca": "other.pem" })),
        (secure.as_str(), json!({})),
        (address, json!({ "ca": "ca.pem" })),
        (plain.as_str(), json!({ "ca": "other.pem", "start_tls": true })),
    ] {
        let error = open(url, more.clone()).await.err().unwrap_or_else(|| panic!("{url} {more} was trusted"));
        assert_eq!(error.code, ErrorCode::Unavailable, "{url} {more}: {error}");
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("`ca`"), "{url} {more}: {} hint: {hint}", error.message);
    }
}

#[tokio::test]
async fn a_certificate_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let (server, key) = start(folder.path()).await;
    let certificate = json!({
        "base": slapd::BASE, "ca": "ca.pem",
        "client_certificate": { "cert": "own.pem", "key": { "secret": "key" } },
    });
    let stranger = Authority::new().unwrap().issue("provost", &["provost.example.org"]).unwrap();
    for (url, tls) in
        [(localhost(server.secure_url().unwrap()), json!({})), (localhost(server.url()), json!({ "start_tls": true }))]
    {
        let settings = laid_over(laid_over(certificate.clone(), json!({ "url": url })), tls);
        let session = try_open(settings.clone(), folder.path(), &[("key", &key)]).await.unwrap();
        let made = json!({ "uid": "ada", "cn": "Ada", "sn": "L", "dn": format!("uid=ada,{}", slapd::PEOPLE) });
        let id = ldap_support::create(session.as_ref(), "person", made).await;
        ldap_support::apply(session.as_ref(), provost_model::Action::Delete, "person", Some(&id), Vec::new())
            .await
            .unwrap();
        // One of the same name by another authority is nobody.
        std::fs::write(folder.path().join("stranger.pem"), &stranger.certificate).unwrap();
        let other = json!({ "client_certificate": { "cert": "stranger.pem", "key": { "secret": "key" } } });
        let error = try_open(laid_over(settings, other), folder.path(), &[("key", &stranger.key)]).await.err().unwrap();
        assert!(matches!(error.code, ErrorCode::AuthFailed | ErrorCode::Unavailable), "{error:?}");
    }
}

#[tokio::test]
async fn another_server_of_the_list_takes_over() {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    let nobody = format!("ldap://127.0.0.1:{}", free_port().unwrap());
    let secrets = [("admin", slapd::PASSWORD)];
    let mut settings = admin("", slapd::BASE, slapd::ADMIN, json!({}));
    settings["url"] = json!([nobody, server.url()]);
    let session = try_open(settings.clone(), ".".as_ref(), &secrets).await.unwrap();
    assert!(read(session.as_ref(), ScanRequest::full("person")).await.unwrap().end.complete);
    // One that takes the connection and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    settings["url"] = json!([format!("ldap://{}", silent.local_addr().unwrap()), server.url()]);
    settings["timeout"] = json!(2);
    let session = try_open(settings.clone(), ".".as_ref(), &secrets).await.unwrap();
    assert!(read(session.as_ref(), ScanRequest::full("person")).await.unwrap().end.complete);
    settings["url"] = json!([nobody, nobody]);
    assert_eq!(try_open(settings, ".".as_ref(), &secrets).await.err().unwrap().code, ErrorCode::Unavailable);
}

#[test]
fn settings_are_checked_before_anybody_is_asked() {
    let cases = [
        (json!({}), "url"),
        (json!({ "url": "ldap://dir.example.org" }), "url"),
        (json!({ "url": ["ldap://localhost", "ldap://dir.example.org"] }), "url"),
        (json!({ "url": [] }), "url"),
        (json!({ "url": "ldap://me:hunter2@localhost" }), "url"),
        (json!({ "url": "ldaps://localhost", "start_tls": true }), "start_tls"),
        (json!({ "url": "ldap://localhost", "ca": "missing.pem" }), "ca"),
        (json!({ "url": "ldap://localhost", "profile": "novell" }), ""),
        (
            json!({ "url": "ldap://localhost", "classes": { "p": {
                "object_classes": ["person"], "enabled": { "attribute": "x", "on": "1" } } } }),
            "classes.p.enabled",
        ),
        (
            json!({ "url": "ldap://localhost", "classes": { "p": {
                "object_classes": ["person"], "enabled": { "attribute": "x", "bit": 3 } } } }),
            "classes.p.enabled",
        ),
        (
            json!({ "url": "ldap://localhost", "classes": { "p": {
                "object_classes": ["person"], "attributes": ["cn", "a)(b"] } } }),
            "classes.p.attributes",
        ),
        (
            json!({ "url": "ldap://localhost", "classes": { "p": { "object_classes": ["person"], "scope": "deep" } } }),
            "",
        ),
    ];
    for (more, path) in cases {
        let mut settings = admin("", slapd::BASE, slapd::ADMIN, json!({}));
        settings.as_object_mut().unwrap().remove("url");
        let settings = laid_over(settings, more.clone());
        let problems = LdapConnector::default().validate(&Settings::new(settings.as_object().unwrap().clone(), "."));
        let [problem, ..] = problems.as_slice() else { panic!("{more} is taken") };
        // serde tells of what it cannot read without a path.
        assert!(problem.path == path || problem.path.is_empty(), "{more}: {problem:?}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}
