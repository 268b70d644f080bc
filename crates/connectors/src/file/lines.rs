//! Splits decoded bytes into lines that end with LF or CRLF, with a bound on their length. What a line means is its caller's.

use std::ops::Range;

use provost_connector::ConnectorError;

use super::config::Config;
use super::input::{Input, io_error};

const CHUNK: usize = 256 << 10;
/// A line may be this long, or twice the longest value.
const MAX_LINE_BYTES: usize = 16 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Text,
    /// A line longer than memory allows was passed over.
    TooLong,
    End,
}

pub(super) struct Lines {
    pub input: Input,
    /// The number of the line at hand, from 1.
    pub number: u64,
    max: usize,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    over: bool,
    line: Range<usize>,
}

/// The longest record of lines, in bytes.
pub(super) fn most(config: &Config) -> usize {
    MAX_LINE_BYTES.max(config.max_field_bytes * 2)
}

impl Lines {
    pub fn new(input: Input, config: &Config) -> Self {
        let buf = vec![0; CHUNK];
        Self { input, number: 0, max: most(config), buf, start: 0, end: 0, over: false, line: 0..0 }
    }

    /// Goes to the next line.
    pub fn next(&mut self, config: &Config) -> Result<Line, ConnectorError> {
        let mut from = self.start;
        let mut skipped = false;
        loop {
            if let Some(at) = self.buf[from..self.end].iter().position(|byte| *byte == b'\n') {
                let next = from + at + 1;
                return Ok(self.found(next, skipped));
            }
            if self.over {
                if self.start == self.end && !skipped {
                    self.line = self.end..self.end;
                    return Ok(Line::End);
                }
                return Ok(self.found(self.end, skipped));
            }
            if self.end - self.start > self.max {
                skipped = true;
                self.start = self.end;
            }
            from = self.end - self.start;
            self.fill(config)?;
        }
    }

    fn found(&mut self, next: usize, skipped: bool) -> Line {
        self.number += 1;
        let from = std::mem::replace(&mut self.start, next);
        if skipped {
            self.line = next..next;
            return Line::TooLong;
        }
        let text = &self.buf[from..next];
        let text = text.strip_suffix(b"\n").map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text));
        self.line = from..from + text.len();
        Line::Text
    }

    /// The line without its end.
    pub fn text(&self) -> &[u8] {
        &self.buf[self.line.clone()]
    }

    /// The end of the line; empty where the file ends without one.
    pub fn line_end(&self) -> &[u8] {
        &self.buf[self.line.end..self.start]
    }

    /// Makes room and reads on; the line under way moves to the front.
    fn fill(&mut self, config: &Config) -> Result<(), ConnectorError> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let most = self.max + CHUNK;
        if self.buf.len() - self.end < self.buf.len() / 2 && self.buf.len() < most {
            self.buf.resize(most.min(self.buf.len() * 2), 0);
        }
        let read =
            self.input.fill(&mut self.buf[self.end..]).map_err(|error| io_error(&error, "read", &config.path))?;
        self.end += read;
        self.over = read == 0;
        Ok(())
    }
}
