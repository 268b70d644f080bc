//! What the tests of `scim` share: a session on any address, and operations in one expression.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../session/mod.rs"]
pub mod session;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use provost_connector::{Connector, ConnectorError, Done, End, ScanItem, ScanRequest, Session};
use provost_connectors::scim::ScimConnector;
use provost_model::{Action, Change, ObjectId, Operation, Record, Value};
use serde_json::{Value as Json, json};
pub use session::*;

pub async fn try_connect(url: &str, token: &str, more: Json) -> Result<Arc<dyn Session>, ConnectorError> {
    let mut values = json!({"url": url, "token": {"secret": "token"}});
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ScimConnector::default().configure(settings(values), Arc::new(Secrets::of(&[("token", token)]))).await
}

pub async fn connect(url: &str, token: &str, more: Json) -> Arc<dyn Session> {
    try_connect(url, token, more).await.unwrap()
}

pub fn operation(action: Action, class: &str, id: Option<&ObjectId>, changes: Vec<Change>) -> Operation {
    Operation { id: "op-1".into(), action, class: class.into(), target_id: id.cloned(), changes, if_match: None }
}

pub async fn apply(session: &dyn Session, operation: &Operation) -> Result<Done, ConnectorError> {
    apply_all(session, std::slice::from_ref(operation)).await.pop().unwrap()
}

pub fn user(name: &str) -> Operation {
    let changes = vec![
        set("userName", json!(name)),
        set("externalId", json!(format!("ext-{name}"))),
        set("active", json!("True")),
        set("name.givenName", json!("Ada")),
        set("name.familyName", json!("Lovelace")),
        set("emails[type eq \"work\"].value", json!(name)),
        set("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", json!("Engines")),
    ];
    operation(Action::Create, "User", None, changes)
}

pub fn scan_request(class: &str, page_size: usize) -> ScanRequest {
    ScanRequest { page_size, ..ScanRequest::full(class) }
}

/// Reads a class to its end: the records, the pages, the connector's last word.
pub async fn scan_all(session: &dyn Session, class: &str, page_size: usize) -> (Vec<Record>, usize, End) {
    let mut scan = session.scan(&cx(), scan_request(class, page_size)).await.unwrap();
    let (mut records, mut pages) = (Vec::new(), 0);
    loop {
        let page = scan.next(&cx()).await.unwrap();
        pages += 1;
        assert!(pages < 100, "the scan never ends");
        records.extend(page.items.into_iter().filter_map(|item| match item {
            ScanItem::Upsert(record) => Some(record),
            _ => None,
        }));
        if let Some(end) = page.end {
            return (records, pages, end);
        }
    }
}

pub fn members(record: &Record) -> Vec<String> {
    let list = record.attributes.find("members").and_then(Value::as_list).unwrap_or_default();
    let id = |member: &Value| member.as_complex()?.find("value")?.as_text().map(str::to_owned);
    let mut ids: Vec<String> = list.iter().filter_map(id).collect();
    ids.sort();
    ids
}

/// A target that knows canned answers: method, path with query, body: to status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, String);

pub async fn target(answer: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/scim", listener.local_addr().unwrap().port());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let path = parts.uri.path_and_query().unwrap().as_str().trim_start_matches("/scim");
                    let (status, headers, text) =
                        answer(parts.method.as_str(), path, std::str::from_utf8(&body).unwrap());
                    let mut response = Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(text))).unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

pub fn bare(status: u16, body: impl Into<String>) -> Answer {
    (status, Vec::new(), body.into())
}
