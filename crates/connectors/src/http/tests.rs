//! The parts that need no socket: statuses, waits, what is shown of a target's text. The rest is in `tests/scim_http.rs`.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use provost_connector::ErrorCode::{self, *};
use provost_connector::{Retry, Secret};
use provost_model::clock::Timestamp;

use super::*;

fn answer(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Answer {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::from_static(body.as_bytes()),
        cut: None,
    }
}

#[test]
fn statuses_have_one_meaning() {
    let table: &[(u16, ErrorCode, ErrorCode)] = &[
        (301, InvalidConfig, InvalidConfig),
        (400, NotSupported, InvalidValue),
        (401, AuthFailed, AuthFailed),
        (402, QuotaExhausted, QuotaExhausted),
        (403, PermissionDenied, PermissionDenied),
        (404, NotFound, NotFound),
        (405, NotSupported, NotSupported),
        (408, Unavailable, Unavailable),
        (409, Conflict, Conflict),
        (412, PreconditionFailed, PreconditionFailed),
        (413, NotSupported, Constraint),
        (418, Protocol, Protocol),
        (422, NotSupported, InvalidValue),
        (424, Dependency, Dependency),
        (429, Throttled, Throttled),
        (500, Unavailable, UnknownOutcome),
        (501, NotSupported, NotSupported),
        (502, Unavailable, UnknownOutcome),
        (503, Throttled, Throttled),
        (504, Unavailable, UnknownOutcome),
        (521, Unavailable, Unavailable),
        (524, Unavailable, UnknownOutcome),
    ];
    for (code, read, write) in table {
        let answer = answer(*code, &[], "");
        assert_eq!(status::refusal(&answer, Effect::Read, "GET x", "").code, *read, "{code}");
        assert_eq!(status::refusal(&answer, Effect::Write, "POST x", "").code, *write, "{code}");
    }
}

#[test]
fn a_gateway_that_lost_the_connection_leaves_doubt() {
    for (body, want) in [
        (
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            UnknownOutcome,
        ),
        ("upstream connect error or disconnect/reset before headers. reset reason: connection failure", Throttled),
        ("upstream connect error or disconnect/reset before headers. reset reason: overflow", Throttled),
        ("no healthy upstream", Throttled),
        ("", Throttled),
    ] {
        assert_eq!(status::refusal(&answer(503, &[], body), Effect::Write, "POST x", "").code, want, "{body}");
    }
}

#[test]
fn waits_are_seconds_or_a_date() {
    let now: Timestamp = "2026-11-06T08:49:37Z".parse().unwrap();
    let date = ("date", "Fri, 06 Nov 2026 08:00:00 GMT");
    for (headers, want) in [
        (vec![("retry-after", "7")], Some(7_000)),
        (vec![("retry-after", " 1.5 ")], Some(1_500)),
        (vec![("retry-after", "Fri, 06 Nov 2026 08:50:00 GMT")], Some(23_000)),
        (vec![("retry-after", "Fri, 06 Nov 2026 08:00:30 GMT"), date], Some(30_000)),
        (vec![("retry-after", "Fri, 06 Nov 2026 07:00:00 GMT"), date], Some(0)),
        (vec![("retry-after", "-1")], None),
        (vec![("retry-after", "99999999")], None),
        (vec![("retry-after", "NaN")], None),
        (vec![("retry-after", "soon")], None),
        (vec![], None),
    ] {
        let found = status::retry_after(&answer(429, &headers, ""), now);
        assert_eq!(found, want.map(Duration::from_millis), "{headers:?}");
    }
    let error = status::refusal(&answer(429, &[("retry-after", "2")], ""), Effect::Write, "POST x", "slow down");
    assert_eq!((error.after_ms, error.retry, error.target_status), (Some(2_000), Retry::After, Some(429)));
    assert_eq!(error.to_string(), "POST x was refused: slow down (target answered 429)");
}

fn client(secret: &str) -> Client {
    let mut value = HeaderValue::try_from(format!("Bearer {secret}")).unwrap();
    value.set_sensitive(true);
    let options = Options {
        base: BaseUrl::parse("http://127.0.0.1:1/scim").unwrap(),
        headers: HeaderMap::new(),
        ca: None,
        identity: None,
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        max_in_flight: 1,
        limits: Vec::new(),
        max_answer: 1000,
    };
    Client::new(options, vec![AuthHeader { name: header::AUTHORIZATION, value, masks: vec![Secret::new(secret)] }])
        .unwrap()
}

#[test]
fn a_secret_that_the_target_repeats_is_masked() {
    let secret = "top-secret-".repeat(100);
    let client = client(&secret);
    let shown = client.presentable(&format!("token\n{secret} and {secret} is {} wrong", "w".repeat(500)));
    assert!(!shown.contains("secret") && shown.starts_with("token … and … is www") && shown.ends_with('…'), "{shown}");
    assert!(!format!("{client:?}").contains("secret"));
}

struct Secrets;

#[async_trait::async_trait]
impl provost_connector::Host for Secrets {
    async fn secret(&self, handle: &str) -> Result<Secret, provost_connector::ConnectorError> {
        Ok(Secret::new(if handle == "broken" { "two\nlines" } else { "pa:ss" }))
    }
}

#[tokio::test]
async fn credentials_become_headers_that_do_not_show() {
    let read = |json: &str| serde_json::from_str::<Basic>(json).unwrap();
    let auth = Auth { basic: Some(read(r#"{"username":"ada","password":{"secret":"p"}}"#)), ..Auth::default() };
    let headers = auth.headers(&Secrets).await.unwrap();
    assert_eq!((headers[0].name.as_str(), headers[0].value.to_str().unwrap()), ("authorization", "Basic YWRhOnBhOnNz"));
    assert_eq!(format!("{:?}", headers[0].value), "Sensitive");
    assert!(headers[0].masks.iter().any(|mask| mask.expose() == "YWRhOnBhOnNz"));

    let custom = |handle: &str| Auth {
        header: Some(
            serde_json::from_str(&format!(r#"{{"name":"X-Api-Key","value":{{"secret":"{handle}"}}}}"#)).unwrap(),
        ),
        ..Auth::default()
    };
    let headers = custom("key").headers(&Secrets).await.unwrap();
    assert_eq!((headers[0].name.as_str(), headers[0].value.to_str().unwrap()), ("x-api-key", "pa:ss"));
    let error = custom("broken").headers(&Secrets).await.err().unwrap();
    assert!(
        error.code == InvalidConfig && error.to_string().contains("`broken`") && !error.to_string().contains("lines\n")
    );
}

#[test]
fn requests_are_named_without_their_query() {
    let call = Call::get("/Users?filter=userName%20eq%20%22ada%22");
    assert_eq!(client("x").name(&call), "GET 127.0.0.1:1/scim/Users");
}
