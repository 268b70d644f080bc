//! The HTTP side: the directory as SCIM 2.0 service provider, the API, health and metrics.
//!
//! Handlers parse, call one function, render. What a resource is and what a PATCH means is `provost-scim`'s; what is
//! stored is the directory's. No TLS here: a proxy in front ends it, and [`ServerState::public_url`] says its address.
//! Start with [`router`] and [`ServerState`].

mod api;
mod auth;
mod body;
pub mod client;
mod health;
mod metrics;
mod scim;
mod state;
mod wire;
mod writer;

use std::io;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use tokio::net::TcpListener;

pub use state::{JobEntry, ServerState, Token};
pub use wire::Mended;

/// How long requests under way may take after the shutdown was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// All routes.
pub fn router(state: ServerState) -> Router {
    Router::new()
        .route("/scim", any(scim::handle))
        .route("/scim/{*rest}", any(scim::handle))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/api/v1/scim", any(scim::handle_all))
        .route("/api/v1/scim/{*rest}", any(scim::handle_all))
        .nest("/api/v1", api::routes(state.clone()))
        .with_state(state)
}

/// Serves until `shutdown` is done, then lets requests under way finish for a few seconds.
pub async fn serve(
    listener: TcpListener,
    state: ServerState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let asked = async move {
        shutdown.await;
        // Nobody listens when the server ended by itself.
        let _ = stop.send(());
    };
    let server = axum::serve(wire::Lenient(listener), router(state)).with_graceful_shutdown(asked);
    let overdue = async {
        if stopped.await.is_ok() {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = server => result,
        () = overdue => Ok(()),
    }
}
