//! Several operations in one request to `/Bulk` (RFC 7644 section 3.7, checklist C17).
//!
//! What takes one request by itself goes into it; what takes several (long lists of members, PUT, which reads first) goes
//! alone. Each operation has its own outcome; one that the answer does not mention is unknown.

use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode};
use provost_model::{Action, Operation};
use provost_scim::client::{Deprovision, UpdateMethod};
use provost_scim::urn::BULK_REQUEST;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::refusal::{Asked, refused};
use super::session::{Class, Target};
use super::wire::object;
use super::write;
use crate::http::header::{HeaderMap, HeaderValue, LOCATION};
use crate::http::{Answer, Call, Method, StatusCode};

/// One operation as it stands in the request.
#[derive(Serialize)]
struct Entry {
    method: &'static str,
    /// On each, though only a POST has to have it: whoever repeats it says what the result is about.
    #[serde(rename = "bulkId")]
    bulk_id: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// An operation that can go with others: its place among all, and its entry.
struct Fit {
    at: usize,
    entry: Entry,
    bytes: usize,
}

/// One result of the answer. Everything may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    method: Option<String>,
    #[serde(rename = "bulkId")]
    bulk_id: Option<String>,
    location: Option<String>,
    status: Json,
    response: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "Operations", alias = "operations", default)]
    operations: Vec<Told>,
}

impl Told {
    /// Whether it names the object of an entry, as results without a `bulkId` do. A create's object has no name yet.
    fn is_about(&self, entry: &Entry) -> bool {
        let location = self.location.as_deref().unwrap_or_default();
        self.bulk_id.is_none() && self.is_method(entry) && entry.method != "POST" && location.ends_with(&entry.path)
    }

    /// Whether nothing in it says that it is about another entry. The place alone is not enough for a create: its outcome
    /// makes a link.
    fn may_be_about(&self, entry: &Entry) -> bool {
        self.bulk_id.is_none() && self.location.is_none() && self.is_method(entry) && entry.method != "POST"
    }

    fn is_method(&self, entry: &Entry) -> bool {
        self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(entry.method))
    }
}

/// The outcome of each operation, in their order.
pub async fn apply(cx: &Context, target: &Target, operations: &[Operation]) -> Vec<Applied> {
    let mut outcomes: Vec<Option<Result<Done, ConnectorError>>> = operations.iter().map(|_| None).collect();
    let mut fits = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        match entry(target, operation, at) {
            Ok(Some(fit)) => fits.push(fit),
            Ok(None) => {}
            Err(error) => outcomes[at] = Some(Err(error)),
        }
    }
    let mut waiting = vec![fits];
    while let Some(fits) = waiting.pop() {
        let (now, later) = cut(target, fits);
        if !later.is_empty() {
            waiting.push(later);
        }
        if now.len() < 2 {
            // A request of one is the plain one.
            continue;
        }
        match send(cx, target, operations, &now).await {
            Ok(told) => told.into_iter().for_each(|(at, outcome)| outcomes[at] = Some(outcome)),
            // Too much for the target, whatever it advertised: by halves.
            Err(error) if error.target_status == Some(413) => {
                let mut first = now;
                let rest = first.split_off(first.len() / 2);
                waiting.extend([rest, first]);
            }
            Err(error) => now.iter().for_each(|fit| outcomes[fit.at] = Some(Err(error.clone()))),
        }
    }
    let mut applied = Vec::with_capacity(operations.len());
    for (operation, outcome) in operations.iter().zip(outcomes) {
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => write::apply(cx, target, operation).await,
        };
        applied.push(match outcome {
            Ok(done) => Applied::done(operation.id.clone(), done),
            Err(error) => Applied::failed(operation.id.clone(), error),
        });
    }
    applied
}

/// The operation as an entry; none when it takes more than one request.
fn entry(target: &Target, operation: &Operation, at: usize) -> Result<Option<Fit>, ConnectorError> {
    let class = target.class(&operation.class)?;
    class.rules.check(operation.action, &operation.changes).map_err(write::unfit)?;
    if target.dialect.read_after_write {
        return Ok(None);
    }
    let made = |method, path: String, body: Option<Vec<u8>>| {
        let data = body.and_then(|body| RawValue::from_string(String::from_utf8(body).ok()?).ok());
        let bytes = 120 + path.len() + data.as_ref().map_or(0, |data| data.get().len());
        let bulk_id = format!("p{at}");
        Ok(Some(Fit { at, bytes, entry: Entry { method, bulk_id, path, data } }))
    };
    let Some(id) = &operation.target_id else {
        let (first, later) = write::chunk_members(&operation.changes, class.members_at_once(&target.dialect));
        return if later.is_empty() && operation.action == Action::Create {
            made("POST", class.endpoint.clone(), Some(class.writer.create(&first)))
        } else {
            Ok(None)
        };
    };
    let path = object(&class.endpoint, id);
    let by_delete = target.dialect.deprovision == Deprovision::DeleteDeactivates;
    match operation.action {
        Action::Delete => made("DELETE", path, None),
        Action::Create => Ok(None),
        Action::Disable if by_delete => Ok(None),
        _ if class.update == UpdateMethod::Put || operation.if_match.is_some() => Ok(None),
        _ => {
            let changes = write::switching(class, operation)?;
            if class.writer.needs_current(&changes) {
                return Ok(None);
            }
            let mut bodies = class.writer.patch(&changes, None);
            match (bodies.pop(), bodies.is_empty()) {
                (Some(only), true) => made("PATCH", path, Some(only.json)),
                _ => Ok(None),
            }
        }
    }
}

/// As many as one request may have, and the others.
fn cut(target: &Target, mut fits: Vec<Fit>) -> (Vec<Fit>, Vec<Fit>) {
    let mut bytes = 100;
    let room = fits.iter().take(target.dialect.bulk_operations.max(1)).take_while(|fit| {
        bytes += fit.bytes;
        bytes <= target.dialect.bulk_bytes
    });
    let count = room.count().max(1).min(fits.len());
    let rest = fits.split_off(count);
    (fits, rest)
}

/// One request: the outcome of each of its operations.
async fn send(
    cx: &Context,
    target: &Target,
    operations: &[Operation],
    fits: &[Fit],
) -> Result<Vec<(usize, Result<Done, ConnectorError>)>, ConnectorError> {
    let entries: Vec<&Entry> = fits.iter().map(|fit| &fit.entry).collect();
    let body = serde_json::json!({ "schemas": [BULK_REQUEST], "Operations": entries }).to_string();
    let call = Call::new(Method::POST, "/Bulk").prepared(&target.writing, Some(body.into()));
    let answer = target.client.send(cx, &call).await?;
    if !answer.is_success() {
        let error = refused(&target.client, &call, Asked::Class, answer);
        let no_bulk = matches!(error.target_status, Some(404 | 405 | 501));
        return Err(if no_bulk {
            error.hint("set `bulk: false` in `dialect`: the target has no `/Bulk`")
        } else {
            error
        });
    }
    let unknown = || {
        let message = format!("{} was answered without a word on this operation", target.client.name(&call));
        // The request was taken, and each of its operations may have been done.
        ConnectorError::new(ErrorCode::UnknownOutcome, message).status(answer.status.as_u16())
    };
    let told = serde_json::from_slice::<Response>(&answer.body).map(|response| response.operations).unwrap_or_default();
    let in_order = told.len() == fits.len();
    let mut told: Vec<Option<Told>> = told.into_iter().map(Some).collect();
    let outcomes = fits.iter().enumerate().map(|(place, fit)| {
        let position = |says: &dyn Fn(&Told) -> bool| told.iter().position(|one| one.as_ref().is_some_and(says));
        let found = position(&|one| one.bulk_id.as_deref() == Some(&fit.entry.bulk_id))
            .or_else(|| position(&|one| one.is_about(&fit.entry)))
            .or_else(|| {
                in_order
                    .then_some(place)
                    .filter(|at| told[*at].as_ref().is_some_and(|one| one.may_be_about(&fit.entry)))
            });
        let outcome = match found.and_then(|found| told[found].take()) {
            Some(one) => outcome(target, &operations[fit.at], fit, one),
            None => Err(unknown()),
        };
        (fit.at, outcome)
    });
    Ok(outcomes.collect())
}

fn outcome(target: &Target, operation: &Operation, fit: &Fit, told: Told) -> Result<Done, ConnectorError> {
    let class: &Class = target.class(&operation.class)?;
    let status = match &told.status {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        // The first drafts had an object with a code.
        Json::Object(parts) => parts.get("code").and_then(|code| match code {
            Json::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
        }),
        _ => None,
    };
    let method: Method = fit.entry.method.parse().unwrap_or(Method::PATCH);
    let call = Call::new(method, &fit.entry.path);
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
        let message = format!("{} was answered without a status", target.client.name(&call));
        return Err(ConnectorError::new(ErrorCode::UnknownOutcome, message).status(StatusCode::OK.as_u16()));
    };
    let mut headers = HeaderMap::new();
    if let Some(location) = told.location.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(LOCATION, location);
    }
    let body = told.response.map(|body| body.get().to_owned().into_bytes()).unwrap_or_default();
    let answer = Answer { status, headers, body: body.into(), cut: None };
    if !answer.is_success() {
        let asked = if operation.target_id.is_some() { Asked::Object } else { Asked::Class };
        let error = refused(&target.client, &call, asked, answer);
        // Gone is what was wanted.
        let gone = operation.action == Action::Delete && error.code == ErrorCode::NotFound;
        let done = operation.target_id.clone().filter(|_| gone);
        return done.map(|target_id| Done { target_id, requests: 1, ..Done::default() }).ok_or(error);
    }
    let exchange = Some(Box::new(target.client.told(&call, Some(&answer))));
    let written = write::written(&answer.body, class).or_else(|| write::located(&answer, class).map(|id| (id, None)));
    match (operation.target_id.clone(), written) {
        (Some(target_id), written) => {
            let etag = written.and_then(|(_, version)| version);
            Ok(Done { target_id, etag, requests: 1, exchange, ..Done::default() })
        }
        (None, Some((target_id, etag))) => Ok(Done { target_id, etag, requests: 1, exchange, ..Done::default() }),
        (None, None) => {
            let message = format!("the target created an object of class `{}` and did not say which", class.name);
            Err(ConnectorError::new(ErrorCode::UnknownOutcome, message).status(status.as_u16()))
        }
    }
}
