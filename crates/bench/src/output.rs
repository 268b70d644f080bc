//! Writing to standard output, in one place: results are data, and data goes there.

use std::io::Write;

use crate::error::{Error, Result};

/// Prints a line and flushes, since the reader may be a process that waits for it.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::io("write result"))
}

/// Says on standard error what is going on.
pub fn note(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
