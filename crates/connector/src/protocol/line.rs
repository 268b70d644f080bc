//! Lines of bounded length from a stream of bytes.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// What ends a stream of lines before its end.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("a line has more than {max} bytes")]
    TooLong { max: usize },
    #[error("a line is not UTF-8")]
    NotUtf8,
    /// The end came in the middle of a line.
    #[error("the last line has no end")]
    Cut,
}

/// Reads lines; memory is bounded by the longest line that is allowed.
#[derive(Debug)]
pub struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// Whether `line` was handed out, so that the next one starts afresh. Without it a call that is given up in the middle of
    /// a line would lose its beginning.
    told: bool,
    max: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// `max` in bytes, the line's end not counted.
    pub fn new(stream: R, max: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, stream), line: Vec::new(), told: false, max }
    }

    /// The next line that is not blank, without its end; none at the end of the stream. May be given up and called again.
    pub async fn next(&mut self) -> Result<Option<&str>, LineError> {
        loop {
            if self.told {
                self.line.clear();
                self.told = false;
            }
            if !self.fill().await? {
                return if self.line.is_empty() { Ok(None) } else { Err(LineError::Cut) };
            }
            self.told = true;
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        std::str::from_utf8(&self.line).map(Some).map_err(|_| LineError::NotUtf8)
    }

    /// Reads on to the end of a line; false when the stream ended before.
    async fn fill(&mut self) -> Result<bool, LineError> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = end.unwrap_or(bytes.len());
            if self.line.len() + part > self.max {
                return Err(LineError::TooLong { max: self.max });
            }
            self.line.extend_from_slice(&bytes[..part]);
            self.reader.consume(part + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8], max: usize) -> (Vec<String>, Option<String>) {
        let (mut lines, mut found) = (Lines::new(text, max), Vec::new());
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(line.to_owned()),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn lines_end_where_they_should() {
        let list = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(all(b"a\n\n \r\nbc\r\n", 3).await, (list(&["a", "bc\r"]), None));
        assert_eq!(all(b"abc\nabcd\n", 3).await, (list(&["abc"]), Some("a line has more than 3 bytes".into())));
        assert_eq!(all(b"a\nb", 3).await, (list(&["a"]), Some("the last line has no end".into())));
        assert_eq!(all(b"\xff\n", 3).await, (list(&[]), Some("a line is not UTF-8".into())));
        assert_eq!(all(b"", 3).await, (list(&[]), None));
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_loses_nothing() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut lines = Lines::new(near, 100);
        tokio::io::AsyncWriteExt::write_all(&mut far, b"first ha").await.unwrap();
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), lines.next()).await;
        assert!(waited.is_err());
        tokio::io::AsyncWriteExt::write_all(&mut far, b"lf\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some("first half"));
    }
}
