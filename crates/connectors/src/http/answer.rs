//! What came back: status, headers, and the body in one piece, never longer than the limit.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Response, StatusCode};

/// An answer that arrived, whatever its status.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Empty when there was none, and when it was lost (see `cut`).
    pub body: Bytes,
    /// Why the body could not be read to its end, although status and headers came. Only in answers to writes: those are
    /// done or refused by their status alone. For reads this is an error.
    pub cut: Option<String>,
}

/// Without headers and body, which may hold cookies and people's data.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Answer {
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// A header as text, if it is there and readable.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum BodyFault {
    TooLong,
    Broken(String),
}

/// Status, headers, and the body as far as it could be read.
pub(super) type Read = (StatusCode, HeaderMap, Result<Bytes, BodyFault>);

/// Reads the body to its end. One that arrives in a single frame is not copied.
pub(super) async fn read(response: Response<Incoming>, limit: usize) -> Read {
    let (parts, mut body) = response.into_parts();
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return (parts.status, parts.headers, Err(BodyFault::TooLong));
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let data = match frame.map(|frame| frame.into_data()) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) => return (parts.status, parts.headers, Err(BodyFault::Broken(super::failure::cause(&error)))),
        };
        let so_far = rest.as_ref().map_or(first.len(), BytesMut::len);
        if so_far + data.len() > limit {
            return (parts.status, parts.headers, Err(BodyFault::TooLong));
        }
        match &mut rest {
            Some(all) => all.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                // The length is the target's claim, so that it is believed only up to a point.
                let expected = usize::try_from(announced).unwrap_or(0).min(1 << 20);
                let mut all = BytesMut::with_capacity(expected.max(so_far + data.len()));
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                rest = Some(all);
            }
        }
    }
    (parts.status, parts.headers, Ok(rest.map_or(first, BytesMut::freeze)))
}
