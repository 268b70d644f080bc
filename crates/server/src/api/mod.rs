//! `/api/v1`: what the console and other programs ask. Bearer tokens and rights are those of the SCIM side.
//!
//! The language: expressions and filters are checked and evaluated as a job would, over an object that the request brings
//! along, and nothing is stored. Jobs: what is pushed into their sources, and what came of it. `openapi.json` describes all
//! of it.

mod language;
mod push;

use std::borrow::Cow;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ServerState;
use crate::auth::{Refused, Side, authenticate};
use crate::body::{self, BodyError};

/// Bytes of one request body: an expression of the greatest length and an object around it.
const MAX_BODY: usize = 1 << 20;

const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) fn routes(state: ServerState) -> Router<ServerState> {
    Router::new()
        .route("/expressions/check", post(language::check_expression))
        .route("/expressions/evaluate", post(language::evaluate))
        .route("/filters/check", post(language::check_filter))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(state, allowed))
        .route("/jobs/{job}/bulk", post(push::accept).fallback(only_post))
        .route("/jobs/{job}/bulk/{id}", get(push::status).fallback(only_get))
        .route("/openapi.json", get(document))
}

/// The document says nothing about this service's data, so that no token is needed for it.
async fn document() -> Response {
    json(StatusCode::OK, DOCUMENT.to_owned())
}

/// Lets through who may read; the language writes nothing.
async fn allowed(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    match authenticate(&state.0, request.headers()).await {
        Ok(client) if client.may(Side::Api, false) => next.run(request).await,
        Ok(_) => {
            forbidden("use a token with the right `read`; `scim:read` is for the SCIM service alone").into_response()
        }
        Err(refused) => not_let_in(refused),
    }
}

fn forbidden(hint: &'static str) -> Refusal {
    Refusal::new(403, "PRV-0802", "the token does not allow this", hint)
}

fn not_let_in(refused: Refused) -> Response {
    match refused {
        Refused::TooMany(wait) => {
            let message = "more requests than this token may send";
            let mut response = Refusal::new(429, "PRV-0804", message, "wait as Retry-After says").into_response();
            let seconds = HeaderValue::from((wait + 999) / 1000);
            response.headers_mut().insert(RETRY_AFTER, seconds);
            response
        }
        Refused::Stranger => {
            let hint = "send `Authorization: Bearer TOKEN`; `provost token create` makes one";
            let refusal = Refusal::new(401, "PRV-0802", "a valid bearer token is needed", hint);
            let mut response = refusal.into_response();
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"provost\""));
            response
        }
        Refused::Unknown => {
            Refusal::new(503, "PRV-0803", "the token cannot be checked now", "try again").into_response()
        }
    }
}

async fn unknown(request: Request) -> Refusal {
    let message = format!("there is no `{}`", request.uri().path());
    Refusal::new(404, "PRV-0801", message, "GET /api/v1/openapi.json lists what there is")
}

async fn wrong_method(request: Request) -> Refusal {
    let message = format!("{} does not work here", request.method());
    Refusal::new(405, "PRV-0801", message, "send a POST")
}

async fn only_post(request: Request) -> Response {
    not_by(request, "POST", "send a POST")
}

async fn only_get(request: Request) -> Response {
    not_by(request, "GET", "send a GET")
}

fn not_by(request: Request, allowed: &'static str, hint: &'static str) -> Response {
    let refusal = Refusal::new(405, "PRV-0801", format!("{} does not work here", request.method()), hint);
    let mut response = refusal.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Why a request is not answered at all. Mistakes in an expression are an answer.
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    hint: Cow<'static, str>,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), hint: hint.into() }
    }
}

#[derive(Serialize)]
struct RefusalBody<'r> {
    code: &'r str,
    message: &'r str,
    hint: &'r str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        answer(status, &RefusalBody { code: self.code, message: &self.message, hint: &self.hint })
    }
}

/// Reads a body as JSON of one shape.
async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {} KiB", MAX_BODY >> 10);
        Refusal::new(413, "PRV-0801", message, "send fewer attributes")
    };
    let bytes = body::read(body, MAX_BODY).await.map_err(|error| match error {
        BodyError::TooLarge => too_large(),
        BodyError::Broken => broken(),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let hint = "GET /api/v1/openapi.json shows what belongs into it";
        Refusal::new(400, "PRV-0801", format!("the body cannot be read: {error}"), hint)
    })
}

fn broken() -> Refusal {
    Refusal::new(400, "PRV-0801", "the body could not be read to its end", "send it again")
}

fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => json(status, text),
        Err(error) => {
            tracing::error!(error = %error, "an answer could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn json(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}
