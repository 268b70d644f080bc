//! Liveness and readiness, for whoever restarts or routes.

use axum::extract::State;
use axum::http::StatusCode;

use crate::ServerState;

/// The process answers.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers too.
pub(crate) async fn ready(State(state): State<ServerState>) -> (StatusCode, &'static str) {
    match state.0.store.directory_seq().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
