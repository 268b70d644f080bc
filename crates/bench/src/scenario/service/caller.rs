//! One connection to a SCIM server, opened again when the server has closed it: the one in Python does so after each answer.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::{Error, Result};

/// Where a SCIM server is, and what it wants to hear.
#[derive(Debug, Clone)]
pub struct Address {
    /// `127.0.0.1:8080`
    pub host: String,
    /// The base path, `/scim/v2`.
    pub path: String,
    /// Bearer token.
    pub token: String,
}

pub struct Caller {
    address: Address,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Caller {
    /// Nothing is opened before the first request.
    #[must_use]
    pub fn to(address: &Address) -> Self {
        Self { address: address.clone(), sender: None }
    }

    /// Sends a request, `path` below the base address; its answer has to have one of these statuses.
    pub async fn send(&mut self, method: Method, path: &str, body: String, wanted: &[u16]) -> Result<Bytes> {
        self.send_with(method, path, body, &[], wanted).await
    }

    /// As `send`, with further headers.
    pub async fn send_with(
        &mut self,
        method: Method,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
        wanted: &[u16],
    ) -> Result<Bytes> {
        let Address { host, path: base, token } = &self.address;
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{base}{path}"))
            .header(header::HOST, host)
            .header(header::ACCEPT, "application/scim+json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/scim+json");
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|e| Error::Other(format!("build request: {e}")))?;
        let mut sender = match self.sender.take() {
            Some(mut open) => match open.ready().await {
                Ok(()) => open,
                Err(_) => self.open().await?,
            },
            None => self.open().await?,
        };
        let answer = sender.send_request(request).await.map_err(Error::http("send request"))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(Error::http("read answer"))?.to_bytes();
        self.sender = Some(sender);
        if wanted.contains(&status) {
            return Ok(body);
        }
        let body = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(Error::Answer { request: format!("{method} {path}"), status, body })
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.address.host).await.map_err(Error::io("connect to the server"))?;
        stream.set_nodelay(true).map_err(Error::io("connect to the server"))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(Error::http("connect to the server"))?;
        tokio::spawn(connection);
        sender.ready().await.map_err(Error::http("connect to the server"))?;
        Ok(sender)
    }
}
