//! The service over real HTTP, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod bulk;
mod concurrency;
mod discovery;
mod hostile;
mod http;
mod patch;
mod push;
mod query;
mod resource;
mod tester;
mod token;
mod traffic;

use std::sync::Arc;

use axum::http::Request;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::{Clock, SystemClock};
use provost_server::{ServerState, Token, serve};
use provost_store::Store;
use provost_testkit::{Answer, Http};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
pub const TOKEN: &str = "a-token-for-tests";

/// A service on a port of its own; it ends with the test's runtime.
pub struct Service {
    pub http: Http,
    pub store: Store,
    /// `127.0.0.1:4711`
    pub address: String,
}

pub async fn sqlite() -> Service {
    Service::over("sqlite::memory:").await
}

pub async fn postgres() -> Service {
    Service::over(&provost_testkit::postgres::fresh_database().await.unwrap()).await
}

/// Runs each function on both engines.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::postgres().await).await;
            })*
        }
    };
}

impl Service {
    async fn over(url: &str) -> Self {
        Self::start(Store::open(url).await.unwrap(), Arc::new(SystemClock), Token::Fixed(Secret::new(TOKEN))).await
    }

    pub async fn start(store: Store, clock: Arc<dyn Clock>, token: Token) -> Self {
        let directory = Directory::new(store.clone(), clock.clone());
        let state = ServerState::new(directory, store.clone(), clock, token).jobs(push::jobs());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve(listener, state, std::future::pending()));
        let http = Http::new(format!("http://{address}/scim/v2"), Some(TOKEN));
        Self { http, store, address }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.http.get(path).await.unwrap()
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        self.http.send(method, path, Some(&body)).await.unwrap()
    }

    /// A request with headers of one's own and a body as it stands; with the token unless the headers name one.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            request = request.header("authorization", format!("Bearer {TOKEN}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let answer = client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_else(|_| text()) };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Makes a user; its id.
    pub async fn user(&self, name: &str) -> String {
        created(self.send("POST", "/Users", json!({ "schemas": [USER], "userName": name })).await)
    }

    /// Makes a group of these members; its id.
    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
        created(self.send("POST", "/Groups", body).await)
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        self.send("PATCH", path, json!({ "schemas": [PATCH], "Operations": operations })).await
    }
}

fn created(answer: Answer) -> String {
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.text("/id").to_owned()
}

/// An error's status, in header and body, and its keyword.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, scim_type: &str) {
    assert_eq!((answer.status, answer.text("/scimType")), (status, scim_type), "{:?}", answer.body);
    assert_eq!(answer.text("/status"), status.to_string());
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(header(answer, "content-type"), "application/scim+json");
}

pub fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// The ids in a list, sorted.
pub fn ids(answer: &Answer) -> Vec<&str> {
    let mut ids: Vec<_> =
        answer.body["Resources"].as_array().unwrap().iter().map(|each| each["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}
