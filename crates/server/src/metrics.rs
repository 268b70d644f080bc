//! Counters in Prometheus' text form.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::ServerState;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Metrics {
    pub fn answered(&self, method: &str, status: u16) {
        let method = METHODS.iter().position(|name| *name == method).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.requests[method][class].fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction with so many writes.
    pub fn committed(&self, writes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
    }

    fn text(&self) -> String {
        let mut text = String::from("# TYPE provost_scim_requests_total counter\n");
        for (method, classes) in METHODS.iter().zip(&self.requests) {
            for (class, count) in CLASSES.iter().zip(classes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    // Writing to a text cannot fail.
                    let _ =
                        writeln!(text, "provost_scim_requests_total{{method=\"{method}\",status=\"{class}\"}} {count}");
                }
            }
        }
        for (name, value) in [("commits", &self.commits), ("writes", &self.writes)] {
            let value = value.load(Ordering::Relaxed);
            let _ =
                write!(text, "# TYPE provost_directory_{name}_total counter\nprovost_directory_{name}_total {value}\n");
        }
        text
    }
}

pub(crate) async fn show(State(state): State<ServerState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], state.0.metrics.text())
}
