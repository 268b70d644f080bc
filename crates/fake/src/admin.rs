//! What a target serves outside SCIM: its faults and its report for whoever has no handle on the program, and tokens.
//!
//! Faults and report are for this machine alone unless the options say otherwise; tokens are part of the target, and for all.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, header};
use provost_store::NewToken;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::conduct::Conduct;
use crate::parse_fault;
use crate::sending::Sending;
use crate::target::{Shared, lock};
use crate::token;

/// Where the report was first.
const REPORT: &str = "/fake/report";

/// Whether a path is outside of SCIM.
pub(crate) fn is_outside(path: &str) -> bool {
    path == REPORT || path.starts_with("/-/")
}

/// Faults as they are sent: lines as on the command line, and the seed of those with a share.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Lines(Vec<String>),
    Seeded {
        faults: Vec<String>,
        #[serde(default)]
        seed: u64,
    },
}

pub(crate) fn answer(shared: &Shared, peer: SocketAddr, parts: &Parts, body: &Bytes) -> Response<Sending> {
    let path = parts.uri.path();
    if path == "/-/token" {
        return token(shared, parts, body);
    }
    if !shared.remote_admin && !peer.ip().is_loopback() {
        return reply(403, &json!({ "error": "faults and report are for this machine alone; see --remote-admin" }));
    }
    match (path, &parts.method) {
        ("/-/faults", &Method::GET) => faults(shared),
        ("/-/faults", &Method::PUT) => {
            let wanted = serde_json::from_slice(body).map_err(|_| "not a list of faults".to_owned());
            let rules = wanted.and_then(|wanted| {
                let (lines, seed) = match wanted {
                    Wanted::Lines(lines) => (lines, 0),
                    Wanted::Seeded { faults, seed } => (faults, seed),
                };
                lines.iter().map(|line| parse_fault(line, seed)).collect::<Result<Vec<_>, _>>()
            });
            match rules {
                Ok(rules) => {
                    *lock(&shared.faults) = rules;
                    faults(shared)
                }
                Err(reason) => reply(400, &json!({ "error": reason })),
            }
        }
        ("/-/faults", &Method::DELETE) => {
            lock(&shared.faults).clear();
            faults(shared)
        }
        (REPORT | "/-/report", &Method::GET) => report(shared),
        (REPORT | "/-/report", &Method::DELETE) => {
            *lock(&shared.conduct) = Conduct::new(&shared.token, &shared.dialect);
            report(shared)
        }
        ("/-/faults" | "/-/report" | REPORT, _) => reply(405, &json!({ "error": "no such method" })),
        _ => reply(404, &json!({ "error": "there are /-/faults, /-/report and /-/token" })),
    }
}

fn faults(shared: &Shared) -> Response<Sending> {
    let shown: Vec<_> = lock(&shared.faults).iter().map(|rule| rule.shown()).collect();
    reply(200, &json!({ "faults": shown }))
}

/// What was seen so far.
fn report(shared: &Shared) -> Response<Sending> {
    let checks = lock(&shared.conduct).report();
    let checks: Vec<Value> = checks
        .iter()
        .map(|check| {
            let mut json = serde_json::to_value(check).unwrap_or_default();
            json["state"] = check.state().into();
            json
        })
        .collect();
    reply(200, &json!({ "checks": checks }))
}

fn token(shared: &Shared, parts: &Parts, body: &Bytes) -> Response<Sending> {
    if parts.method != Method::POST {
        return reply(405, &json!({ "error": "invalid_request" }));
    }
    let form = String::from_utf8_lossy(body);
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Err((status, body)) = token::judge(&form, header, &shared.token) {
        return reply(status, &body);
    }
    let Ok(new) = NewToken::generate() else { return reply(500, &json!({ "error": "server_error" })) };
    lock(&shared.tokens).give(&new.text, shared.token_life);
    lock(&shared.conduct).gave(&new.text);
    let life = shared.token_life.as_secs();
    reply(200, &json!({ "access_token": *new.text, "token_type": "Bearer", "expires_in": life }))
}

fn reply(status: u16, body: &Value) -> Response<Sending> {
    let mut answer = Response::new(Sending::new(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    // Tokens are not to be kept (RFC 6749 section 5.1), and neither is the rest.
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}
