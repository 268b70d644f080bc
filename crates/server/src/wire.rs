//! Request lines as clients send them: some leave the quotes of a filter as they are, `?filter=userName eq "x"` with blanks
//! as `+`, which the HTTP library refuses before any handler sees the request.
//!
//! [`Lenient`] puts `%22`, `%3C` and `%3E` in place of `"`, `<` and `>` in the query of a request line, and changes nothing
//! else, but for a header [`MENDED`] that tells of it. It follows requests only as far as it must to know where the next one begins; after anything unusual (chunked
//! bodies, other protocols, ambiguous lengths) it passes on the rest of the connection untouched.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The header of requests that were mended, for clients that want to be told.
pub(crate) const MENDED: &str = "provost-mended";
/// A longer head is not looked at.
const HEAD_MAX: usize = 64 << 10;
const CHUNK: usize = 16 << 10;

/// Accepts connections whose request lines are mended, without delays for small packets.
pub(crate) struct Lenient(pub TcpListener);

impl Listener for Lenient {
    type Io = Mended<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "TCP_NODELAY could not be set");
        }
        (Mended::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection whose request lines are mended as they are read.
pub struct Mended<S> {
    stream: S,
    /// How many request lines had to be mended.
    count: Arc<AtomicU64>,
    place: Place,
    /// The beginning of a head whose end has not come yet.
    head: Vec<u8>,
    /// Ready to be read, from `sent` on.
    ready: Vec<u8>,
    sent: usize,
}

/// Where in the stream of requests the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// Nothing is looked at any more.
    Rest,
}

impl<S> Mended<S> {
    pub fn new(stream: S) -> Self {
        let count = Arc::default();
        Self { stream, count, place: Place::Head, head: Vec::new(), ready: Vec::new(), sent: 0 }
    }

    /// How many request lines had to be mended so far; goes on counting. The fake target holds these against its clients.
    pub fn count(&self) -> Arc<AtomicU64> {
        self.count.clone()
    }

    /// Takes what arrived; what can be handed on goes to `ready`.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.place {
                Place::Rest => {
                    self.ready.extend_from_slice(bytes);
                    return;
                }
                Place::Body(left) => {
                    let here = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.ready.extend_from_slice(&bytes[..here]);
                    self.place = if left == here as u64 { Place::Head } else { Place::Body(left - here as u64) };
                    bytes = &bytes[here..];
                }
                Place::Head => {
                    let before = self.head.len();
                    self.head.extend_from_slice(bytes);
                    let end = match end_of_head(&self.head, before) {
                        End::At(end) => end,
                        End::Open if self.head.len() <= HEAD_MAX => return,
                        End::Open | End::Strange => {
                            self.place = Place::Rest;
                            self.ready.append(&mut self.head);
                            return;
                        }
                    };
                    bytes = &bytes[end - before..];
                    self.place = after(&self.head[..end]);
                    if mend(&self.head[..end], &mut self.ready) {
                        self.count.fetch_add(1, Ordering::Relaxed);
                    }
                    self.head.clear();
                }
            }
        }
    }
}

enum End {
    /// Just behind the blank line.
    At(usize),
    Open,
    /// A line ends with a line feed alone.
    Strange,
}

/// Looks for the end of a head among the bytes from `from` on; those before were looked at.
fn end_of_head(head: &[u8], from: usize) -> End {
    for (at, _) in head.iter().enumerate().skip(from).filter(|(_, byte)| **byte == b'\n') {
        let lines = &head[..=at];
        if lines.ends_with(b"\r\n\r\n") {
            return End::At(at + 1);
        }
        if !lines.ends_with(b"\r\n") {
            return End::Strange;
        }
    }
    End::Open
}

/// What follows a head: its body, or the next head.
fn after(head: &[u8]) -> Place {
    let mut length = None;
    let mut lines = head.split(|byte| *byte == b'\n');
    if !lines.next().is_some_and(|line| line.ends_with(b" HTTP/1.1\r") || line.ends_with(b" HTTP/1.0\r")) {
        return Place::Rest;
    }
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if [&b"transfer-encoding"[..], b"upgrade"].iter().any(|other| name.eq_ignore_ascii_case(other)) {
            return Place::Rest;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            match std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                Some(number) if digits && length.is_none() => length = Some(number),
                _ => return Place::Rest,
            }
        }
    }
    match length {
        None | Some(0) => Place::Head,
        Some(length) => Place::Body(length),
    }
}

/// The head with its query in order; whether it was not before.
fn mend(head: &[u8], into: &mut Vec<u8>) -> bool {
    let line = head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len());
    let query = head[..line].iter().position(|byte| *byte == b'?').unwrap_or(line);
    into.extend_from_slice(&head[..query]);
    for byte in &head[query..line] {
        match byte {
            b'"' => into.extend_from_slice(b"%22"),
            b'<' => into.extend_from_slice(b"%3C"),
            b'>' => into.extend_from_slice(b"%3E"),
            other => into.push(*other),
        }
    }
    if head[query..line].iter().any(|byte| matches!(byte, b'"' | b'<' | b'>')) {
        into.extend_from_slice(b"\r\n");
        into.extend_from_slice(MENDED.as_bytes());
        into.extend_from_slice(b": 1");
    }
    into.extend_from_slice(&head[line..]);
    head[query..line].iter().any(|byte| matches!(byte, b'"' | b'<' | b'>'))
}

impl<S: AsyncRead + Unpin> AsyncRead for Mended<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        loop {
            if me.sent < me.ready.len() {
                let here = (me.ready.len() - me.sent).min(buf.remaining());
                buf.put_slice(&me.ready[me.sent..me.sent + here]);
                me.sent += here;
                if me.sent == me.ready.len() {
                    me.ready.clear();
                    me.sent = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if me.place == Place::Rest {
                return Pin::new(&mut me.stream).poll_read(cx, buf);
            }
            let mut chunk = [std::mem::MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            ready!(Pin::new(&mut me.stream).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                // The end. Half a head is handed on, to be refused by whoever knows how.
                me.place = Place::Rest;
                me.ready.append(&mut me.head);
                if me.ready.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            me.take(chunk.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Mended<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the input arrives in pieces of this size.
    fn passed(input: &str, piece: usize) -> String {
        let mut mended = Mended::new(());
        for piece in input.as_bytes().chunks(piece) {
            mended.take(piece);
        }
        mended.ready.append(&mut mended.head);
        String::from_utf8(mended.ready).unwrap()
    }

    #[test]
    fn only_queries_of_request_lines_change() {
        let quoted = "GET /Users?filter=userName+eq+\"a\" HTTP/1.1\r\nhost: \"h\"\r\n\r\n";
        let mended = "GET /Users?filter=userName+eq+%22a%22 HTTP/1.1\r\nprovost-mended: 1\r\nhost: \"h\"\r\n\r\n";
        let post = "POST /Users HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /?\"a\" HTTP/1.1\r\n";
        let chunked = "POST /Users HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        let twice = "POST / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx";
        for (input, want) in [
            (quoted.to_owned(), mended.to_owned()),
            (format!("{quoted}{quoted}"), format!("{mended}{mended}")),
            (format!("{post}{quoted}"), format!("{post}{mended}")),
            (format!("{chunked}{quoted}"), format!("{chunked}{quoted}")),
            (format!("{twice}{quoted}"), format!("{twice}{quoted}")),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n?\"".into(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n?\"".into()),
            ("GET /?\"".into(), "GET /?\"".into()),
            ("GET /?\" HTTP/1.1\nhost: h\n\n".into(), "GET /?\" HTTP/1.1\nhost: h\n\n".into()),
            (
                "GET /a\"b?x=<1> HTTP/1.0\r\n\r\n".into(),
                "GET /a\"b?x=%3C1%3E HTTP/1.0\r\nprovost-mended: 1\r\n\r\n".into(),
            ),
        ] {
            for piece in [1, 3, 7, 64, 4096] {
                assert_eq!(passed(&input, piece), want, "pieces of {piece}");
            }
        }
    }
}
