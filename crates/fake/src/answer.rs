//! What becomes of a request: whether a fault befalls it, whether the target bears it, what the service says to it and what
//! the client gets of that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use provost_model::Timestamp;
use serde_json::{Value, json};

use crate::conduct::{Got, Lost, Sent, lost, made};
use crate::quirk::Refusal;
use crate::sending::{Dropped, Sending};
use crate::serve::{Inner, serve};
use crate::target::{BASE, Shared, lock};
use crate::token::Standing;
use crate::{Dialect, Fault, Request, admin};

/// Requests that are kept.
const MOST_REQUESTS: usize = 1_000_000;

pub(crate) async fn answer(
    shared: Arc<Shared>,
    peer: SocketAddr,
    mended: bool,
    request: hyper::Request<Incoming>,
) -> Result<Response<Sending>, Dropped> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    if admin::is_outside(&path) {
        return Ok(admin::answer(&shared, peer, &parts, &body));
    }
    let target = parts.uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let below = path.strip_prefix(BASE).unwrap_or(&path);
    let fault = {
        let mut rules = lock(&shared.faults);
        let mut fitting = rules.iter_mut().filter(|rule| rule.fault().fits(&method, below, &query));
        fitting.find_map(|rule| rule.fires(&method, &path)).unwrap_or_default()
    };
    let place = {
        let mut requests = lock(&shared.requests);
        if requests.len() < MOST_REQUESTS {
            requests.push(Request { method: method.clone(), target, status: None, fault });
        }
        requests.len() - 1
    };
    lock(&shared.history).count();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let headers = parts.headers.clone();
    let sent = Sent {
        method: &method,
        path: below,
        query: &query,
        headers: &headers,
        body: &json,
        at: Instant::now(),
        mended,
    };
    lock(&shared.conduct).asked(&sent);
    let entered = shared.limits.enter(&shared.dialect, &method, below);
    if shared.dialect.in_flight > 0 || !shared.dialect.rates.is_empty() {
        let within = entered.as_ref().map(|_| ()).map_err(|(what, _)| what.as_str());
        lock(&shared.conduct).bore(&sent, within);
    }
    let (mut inner, mut wait) = (Inner::default(), None);
    let answer = if fault == Fault::DropBefore {
        None
    } else if let Some((status, said)) = fault.refusal(Timestamp::now()) {
        let mut answer = refusal(&Refusal { status, scim_type: None, detail: "a fault of the fake target".to_owned() });
        if let Some(value) = said.and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(header::RETRY_AFTER, value);
        }
        wait = fault_wait(fault);
        Some(answer)
    } else if let Fault::Echo(status) = fault {
        let detail = format!("this is not taken: {json}");
        let mut answer = refusal(&Refusal { status, scim_type: None, detail });
        answer.headers_mut().insert("x-request-id", HeaderValue::from(place));
        Some(answer)
    } else if let Err((detail, after)) = &entered {
        // Whole seconds, upwards: to wait so long is enough.
        let seconds = after.as_millis().div_ceil(1000) as u64;
        let mut answer = refusal(&Refusal { status: 429, scim_type: None, detail: detail.clone() });
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        wait = Some(*after);
        Some(dressed(&shared.dialect, answer))
    } else if !admitted(&shared, &mut parts, fault) {
        let mut answer = refusal(&Refusal { status: 401, scim_type: None, detail: "the token is not good".to_owned() });
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        Some(answer)
    } else if fault == Fault::ExpiredCursor {
        let detail = "the cursor is too old; start again".to_owned();
        Some(dressed(&shared.dialect, refusal(&Refusal { status: 400, scim_type: Some("expiredCursor"), detail })))
    } else {
        Some(serve(&shared, hyper::Request::from_parts(parts, body), &json, fault, &mut inner).await?)
    };
    let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
    let etag = inner.etag.as_deref();
    let filters = shared.dialect.filter && fault != Fault::IgnoreFilter;
    let got = Got { status, fault, wait, body: &inner.body, etag, filters };
    lock(&shared.conduct).answered(&sent, &got);
    if let Some(request) = lock(&shared.requests).get_mut(place) {
        request.status = (status > 0).then_some(status);
    }
    if let Fault::Slow(ms) = fault {
        let mut waiting =
            Waiting { shared: &shared, made: (sent.creates() && status == 201).then(|| (made(&sent), lost(&sent))) };
        tokio::time::sleep(Duration::from_millis(ms)).await;
        waiting.made = None;
    }
    let answer = answer.ok_or(Dropped)?;
    match fault {
        Fault::DropAfter => Err(Dropped),
        Fault::Cut => Ok(answer.map(Sending::cut)),
        Fault::Torn => Ok(answer.map(Sending::torn)),
        Fault::Html => Ok(instead(answer, "text/html; charset=utf-8", "<!doctype html><title>Sign in</title>\n")),
        Fault::Blank => Ok(instead(answer, "application/scim+json", "")),
        _ => Ok(answer),
    }
}

/// Something else as the answer, with a status that says that all is well.
fn instead(mut answer: Response<Sending>, kind: &'static str, text: &'static str) -> Response<Sending> {
    *answer.status_mut() = StatusCode::OK;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.map(|_| Sending::new(text))
}

/// A create whose answer the client still waits for; if it goes before, hyper drops this.
struct Waiting<'s> {
    shared: &'s Shared,
    made: Option<(String, Lost)>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((made, lost)) = self.made.take() {
            lock(&self.shared.conduct).left(made, lost);
        }
    }
}

/// How long a fault asks to wait; a date has no parts of a second.
fn fault_wait(fault: Fault) -> Option<Duration> {
    match fault {
        Fault::Status(_, wait) => wait.map(|seconds| Duration::from_secs(seconds.into())),
        Fault::StatusUntil(_, wait) => {
            let over = Timestamp::now().subsec_nanosecond().unsigned_abs();
            Some(Duration::from_secs(wait.into()).saturating_sub(Duration::from_nanos(over.into())))
        }
        _ => None,
    }
}

/// Whether the token is good as far as it can be told here; one that the token endpoint gave is exchanged for the service's.
fn admitted(shared: &Shared, parts: &mut hyper::http::request::Parts, fault: Fault) -> bool {
    let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = sent.as_deref().and_then(|value| value.split_once(' ')).map_or("", |(_, token)| token.trim());
    let mut tokens = lock(&shared.tokens);
    if fault == Fault::ExpiredToken {
        tokens.revoke(token);
        return false;
    }
    let below = parts.uri.path().strip_prefix(BASE).unwrap_or_default();
    let discovers = ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"].iter().any(|one| below.starts_with(one));
    let is_open = shared.dialect.open_discovery && discovers && sent.is_none();
    match tokens.standing(token) {
        Standing::Over => return false,
        Standing::Unknown if !is_open => return true,
        Standing::Good | Standing::Unknown => {}
    }
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {}", shared.token)) {
        parts.headers.insert(header::AUTHORIZATION, value);
    }
    true
}

/// With the dialect's headers.
pub(crate) fn dressed(dialect: &Dialect, mut answer: Response<Sending>) -> Response<Sending> {
    let headers = answer.headers_mut();
    if let (Some(kind), Ok(own)) = (headers.get_mut(header::CONTENT_TYPE), HeaderValue::from_str(&dialect.content_type))
    {
        *kind = own;
    }
    if !dialect.location {
        headers.remove(header::LOCATION);
    }
    answer
}

/// A SCIM error (RFC 7644 section 3.12).
pub(crate) fn refusal(reason: &Refusal) -> Response<Sending> {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": reason.status.to_string(),
        "detail": reason.detail,
    });
    if let Some(word) = reason.scim_type {
        body["scimType"] = word.into();
    }
    let mut answer = Response::new(Sending::new(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(reason.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    answer
}
