//! What a program writes to its standard error, for the log.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::Instant;

/// The longest line of standard error that is logged, in bytes, and how many in a window.
const LOG_LINE: usize = 4 << 10;
const LOG_LINES: u32 = 200;
const LOG_WINDOW: Duration = Duration::from_secs(10);

/// Reads standard error to its end, whatever it is, so that the child never waits for it. Long lines are cut, and of many
/// within a short time the first are told.
pub(crate) async fn log_errors(stream: impl AsyncRead + Unpin, mut tell: impl FnMut(&str)) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut window, mut told) = (Vec::new(), Instant::now(), 0);
    loop {
        let Ok(bytes) = reader.fill_buf().await else { return };
        let is_end = bytes.is_empty();
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = end.unwrap_or(bytes.len());
        let room = LOG_LINE.saturating_sub(line.len()).min(part);
        line.extend_from_slice(&bytes[..room]);
        reader.consume(part + usize::from(end.is_some()));
        if (end.is_some() || is_end) && !line.trim_ascii().is_empty() {
            if window.elapsed() > LOG_WINDOW {
                (window, told) = (Instant::now(), 0);
            }
            told += 1;
            match told {
                ..=LOG_LINES => tell(String::from_utf8_lossy(&line).trim_end()),
                _ if told == LOG_LINES + 1 => tell("… and more than is logged"),
                _ => {}
            }
        }
        if end.is_some() {
            line.clear();
        }
        if is_end {
            return;
        }
    }
}
