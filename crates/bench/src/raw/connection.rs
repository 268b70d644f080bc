//! One worker's connection and the little that the raw client reads out of an answer.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::error::{Error, Result};

pub struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Opens a connection to `http://host:port`.
    pub async fn open(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).await.map_err(Error::io("connect to the target"))?;
        stream.set_nodelay(true).map_err(Error::io("connect to the target"))?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(Error::http("connect to the target"))?;
        tokio::spawn(connection);
        Ok(Self { sender, host })
    }

    /// Sends one request and reads all of the answer, which must have status `wanted`. Notes how many microseconds it took.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: String,
        wanted: u16,
        latencies: &mut Vec<u32>,
    ) -> Result<Bytes> {
        let start = Instant::now();
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, "application/scim+json")
            .header(header::AUTHORIZATION, "Bearer bench");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/scim+json");
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|e| Error::Other(format!("build request: {e}")))?;
        self.sender.ready().await.map_err(Error::http("wait for the connection"))?;
        let answer = self.sender.send_request(request).await.map_err(Error::http("send request"))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(Error::http("read answer"))?.to_bytes();
        latencies.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
        if status == wanted {
            return Ok(body);
        }
        let body = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(Error::Answer { request: format!("{method} {path}"), status, body })
    }
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    total_results: u64,
    #[serde(rename = "Resources", default)]
    resources: Vec<Identified>,
}

/// The id in a resource.
pub fn id_of(answer: &[u8]) -> Result<String> {
    Ok(serde_json::from_slice::<Identified>(answer).map_err(Error::json("read resource"))?.id)
}

pub fn total_results(answer: &[u8]) -> Result<u64> {
    Ok(serde_json::from_slice::<List>(answer).map_err(Error::json("read list"))?.total_results)
}

pub fn id_of_first(answer: &[u8]) -> Result<String> {
    let list: List = serde_json::from_slice(answer).map_err(Error::json("read list"))?;
    list.resources
        .into_iter()
        .next()
        .map(|r| r.id)
        .ok_or_else(|| Error::Other("a user to patch is not there".to_owned()))
}
