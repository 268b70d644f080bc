//! The body of an answer, whole or broken off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Makes hyper close the connection without an answer, or in the middle of one.
#[derive(Debug, thiserror::Error)]
#[error("dropped, as a fault says")]
pub(crate) struct Dropped;

/// Bytes that are sent, and perhaps fewer than were promised.
pub(crate) struct Sending {
    bytes: Option<Bytes>,
    promised: u64,
    /// What was sent is to arrive before the connection closes.
    pause: Option<Pin<Box<Sleep>>>,
}

const PAUSE: Duration = Duration::from_millis(20);

impl Sending {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { promised: bytes.len() as u64, bytes: Some(bytes), pause: None }
    }

    /// Ends in its middle: after that the connection closes.
    pub fn cut(self) -> Self {
        let promised = self.promised.max(2);
        let bytes = self.bytes.unwrap_or_default();
        Self { bytes: Some(bytes.slice(..bytes.len() / 2)), promised, pause: None }
    }

    /// Ends in its middle, as if that were its end.
    pub fn torn(self) -> Self {
        let bytes = self.bytes.unwrap_or_default();
        Self::new(bytes.slice(..bytes.len() / 2))
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        let me = self.get_mut();
        Poll::Ready(match me.bytes.take() {
            Some(bytes) if !bytes.is_empty() => {
                me.promised -= bytes.len() as u64;
                Some(Ok(Frame::data(bytes)))
            }
            _ if me.promised > 0 => {
                let pause = me.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
                ready!(pause.as_mut().poll(cx));
                me.promised = 0;
                Some(Err(Dropped))
            }
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.promised == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
