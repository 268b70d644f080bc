//! `/jobs/JOB/bulk`: SCIM bulk requests into a job's source, and what came of them. Microsoft Entra's API-driven inbound
//! provisioning has the same request at `/bulkUpload`.
//!
//! 202 means that the request is in the store. Jobs do the rest; [`provost_push`] tells about it.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use provost_model::{ClassName, CycleId, Explain, JobName, ObjectId, Timestamp};
use provost_push::{Counts, Outcome, PushError, Sender, Status};
use provost_scim::urn;
use serde::Serialize;

use super::{Refusal, answer, broken, forbidden, not_let_in};
use crate::ServerState;
use crate::auth::{Client, authenticate};
use crate::body::{self, BodyError};
use crate::scim::{is_json, origin};
use crate::state::{Inner, JobEntry};

/// Bytes of one request: 4 KiB an operation.
const MAX_BODY: usize = 8 << 20;

/// A request and its operations, in the form of a BulkResponse (RFC 7644 section 3.7) with what is known beside it.
#[derive(Serialize)]
struct Shown<'s> {
    schemas: [&'static str; 1],
    id: &'s str,
    job: &'s str,
    created: String,
    /// `waiting` until every operation is done or failed.
    status: &'static str,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'s, str>>,
    #[serde(rename = "Operations")]
    operations: Vec<ShownOperation<'s>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownOperation<'s> {
    method: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bulk_id: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<&'s str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'s serde_json::Value>,
}

pub(super) async fn accept(
    State(state): State<ServerState>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    let job = path.map(|Path(job)| JobName::from(job)).map_err(|_| no_path().into_response())?;
    let client = authenticate(&state.0, &headers).await.map_err(not_let_in)?;
    if !client.may_at_job(&job, true) {
        return Err(forbidden("use a token with the right `jobs:write` or `write`").into_response());
    }
    push(&state.0, &client, &job, &headers, body).await.map_err(IntoResponse::into_response)
}

async fn push(
    state: &Inner,
    client: &Client,
    job: &JobName,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let entry = entry(state, job)?;
    let connection = entry.pushed.as_ref().ok_or_else(|| {
        let hint = "give the job a source with `connector: push`";
        Refusal::new(409, "PRV-0806", format!("nothing can be pushed into the source of job `{job}`"), hint)
    })?;
    if let Some(Err(media)) = headers.get(CONTENT_TYPE).map(is_json) {
        let message = format!("`{media}` is not accepted");
        return Err(Refusal::new(415, "PRV-0801", message, "send application/scim+json"));
    }
    let body = body::read(body, MAX_BODY).await.map_err(|error| match error {
        BodyError::TooLarge => {
            let message = format!("the body is larger than {} MiB", MAX_BODY >> 20);
            Refusal::new(413, "PRV-0801", message, "send several requests; their order is kept")
        }
        BodyError::Broken => broken(),
    })?;
    let may_see = |kind: &str| client.settings.may_see(kind);
    let sender = Sender { job, connection, client: &client.name, may_see: &may_see };
    let id = state.inbox.accept(sender, &body).await.map_err(refusal)?;
    let location = format!("{}/api/v1/jobs/{}/bulk/{id}", origin(state, headers), segment(job));
    tracing::info!(job.name = %job, request = %id, client = %client.name, "took a bulk request");
    let mut response = match state.inbox.status(job, &id).await {
        Ok(Some(status)) => render(StatusCode::ACCEPTED, state, headers, entry, &status),
        // It is taken; what there is to say about it can be asked for.
        _ => StatusCode::ACCEPTED.into_response(),
    };
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) async fn status(
    State(state): State<ServerState>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let (job, id) = path.map(|Path((job, id))| (JobName::from(job), id)).map_err(|_| no_path().into_response())?;
    let client = authenticate(&state.0, &headers).await.map_err(not_let_in)?;
    if !client.may_at_job(&job, false) {
        return Err(forbidden("use a token with the right `jobs:read` or `read`").into_response());
    }
    let shown = async {
        let entry = entry(&state.0, &job)?;
        let status = state.0.inbox.status(&job, &id).await.map_err(refusal)?;
        let status = status.ok_or_else(|| {
            let message = format!("job `{job}` has no bulk request `{id}`");
            Refusal::new(404, "PRV-0801", message, "the Location of the 202 names it")
        })?;
        Ok::<_, Refusal>(render(StatusCode::OK, &state.0, &headers, entry, &status))
    };
    shown.await.map_err(IntoResponse::into_response)
}

fn entry<'s>(state: &'s Inner, job: &JobName) -> Result<&'s JobEntry, Refusal> {
    state.jobs.get(job).ok_or_else(|| {
        let hint = "`provost status` lists the jobs; the service knows those of the configuration it was started with";
        Refusal::new(404, "PRV-0801", format!("there is no job `{job}`"), hint)
    })
}

fn no_path() -> Refusal {
    Refusal::new(400, "PRV-0801", "the path is not UTF-8", "GET /api/v1/openapi.json lists what there is")
}

fn refusal(error: PushError) -> Refusal {
    if let PushError::Store(error) = &error {
        tracing::error!(error = %error, "a bulk request could not be handled");
        return Refusal::new(503, "PRV-0803", "the store does not answer", "nothing was taken; send it again");
    }
    let hint = error.hint().map(|hint| hint.into_owned()).unwrap_or_default();
    let code = if matches!(error, PushError::Nothing { .. }) { "PRV-0805" } else { "PRV-0801" };
    Refusal::new(error.status(), code, error.to_string(), hint)
}

fn render(code: StatusCode, state: &Inner, headers: &HeaderMap, entry: &JobEntry, status: &Status) -> Response {
    let base = format!("{}/scim/v2", origin(state, headers));
    let waits = status.counts.waiting > 0;
    let unscheduled = || {
        let text = format!(
            "the job does not run by itself: give it `schedule: {{ on: change }}`, or `provost run {}`",
            status.job
        );
        (waits && !entry.is_scheduled).then_some(Cow::Owned(text))
    };
    let shown = Shown {
        schemas: [urn::BULK_RESPONSE],
        id: &status.id,
        job: status.job.as_str(),
        created: Timestamp::from_millisecond(status.created).map(|time| time.to_string()).unwrap_or_default(),
        status: if waits { "waiting" } else { "done" },
        counts: status.counts,
        hint: status.hint.as_deref().map(Cow::Borrowed).or_else(unscheduled),
        operations: status.operations.iter().map(|operation| shown(operation, &base, entry)).collect(),
    };
    answer(code, &shown)
}

fn shown<'s>(outcome: &'s Outcome, base: &str, entry: &JobEntry) -> ShownOperation<'s> {
    let place = |(class, id): &(ClassName, ObjectId)| {
        let endpoint = entry.endpoints.get(class)?;
        Some(format!("{base}/{}/{id}", endpoint.trim_matches('/')))
    };
    ShownOperation {
        method: &outcome.method,
        bulk_id: outcome.bulk_id.as_deref(),
        location: outcome.target.as_ref().and_then(place),
        status: outcome.status.to_string(),
        result: outcome.result.as_deref(),
        reason: outcome.reason.as_deref(),
        cycle: outcome.cycle.as_ref().map(CycleId::as_str),
        repeated: outcome.repeated,
        response: outcome.response.as_ref(),
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%2D", "-")
}
