//! An in-memory SCIM 2.0 target that costs as little as possible and counts everything: which requests came, which of
//! them changed nothing, how many at once. Knobs for latency, rate limit and faults. It is a benchmark's opposite end and
//! deliberately no conforming service provider: tokens are ignored, schemas are not enforced, only `eq` filters work.
//! Look next: `http` (requests), `table` (state), `patch` (PATCH), `stats` (counters), `weather` (latency, 429, faults).

mod digest;
mod discovery;
mod http;
mod patch;
mod path;
mod stats;
mod table;
mod weather;

use std::{io::Read, net::Ipv4Addr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::oneshot};

use crate::error::{Error, Result};

pub use http::Sink;
pub use weather::Weather;

/// Serves until standard input ends, so that a sink never outlives the process that started it. Prints
/// `listening http://127.0.0.1:PORT` once it accepts connections; port 0 takes any free one.
pub fn serve(port: u16, weather: Weather) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::io("start runtime"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(Error::io("listen"))?;
        let url = format!("http://{}", listener.local_addr().map_err(Error::io("listen"))?);
        crate::output::line(&format!("listening {url}"))?;
        let (ended, end) = oneshot::channel();
        // A thread of its own: tokio's stdin would keep the runtime from shutting down.
        std::thread::spawn(move || {
            let mut scrap = [0_u8; 256];
            while matches!(std::io::stdin().read(&mut scrap), Ok(n) if n > 0) {}
            ended.send(()).ok();
        });
        tokio::select! {
            result = accept(listener, Arc::new(Sink::new(url, weather))) => result,
            _ = end => Ok(()),
        }
    })
}

/// Accepts connections for ever.
pub async fn accept(listener: TcpListener, sink: Arc<Sink>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.map_err(Error::io("accept"))?;
        stream.set_nodelay(true).map_err(Error::io("accept"))?;
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let sink = Arc::clone(&sink);
                async move { sink.handle(request).await }
            });
            // Ends with an error when a fault drops the connection or the client goes away: both are normal here.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
