//! The log on stderr: warnings always, more with `-v`, or exactly what PROVOST_LOG asks for (`provost_engine=debug`).

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::output::Output;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts the log. Call once.
pub fn start(verbose: u8, format: LogFormat, output: Output) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        2 => {
            "info,provost=debug,provost_engine=debug,provost_connector=debug,provost_connectors=debug,provost_server=debug"
        }
        _ => "debug",
    };
    let filter = match std::env::var("PROVOST_LOG") {
        Ok(wanted) if !wanted.is_empty() => EnvFilter::new(wanted),
        _ => EnvFilter::new(default),
    };
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(output.colors_errors());
    // A second start is a mistake of ours that costs nothing: the first one stays.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
