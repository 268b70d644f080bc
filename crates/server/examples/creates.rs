//! What a create costs: `cargo run --release -p provost-server --example creates -- [STORE] [USERS] [CLIENTS]`.
//!
//! The service runs as a process of its own over STORE (a new SQLite file if none is named), so that its processor time can
//! be told from that of the clients, each of which has one keep-alive connection. Prints rates; asserts nothing.
//! `creates serve STORE` is that process: it says its address in one line and ends with its standard input.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::http::Request;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::SystemClock;
use provost_server::{ServerState, Token, serve};
use provost_store::Store;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

const TOKEN: &str = "bench";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => service(arguments.get(1).ok_or("serve needs a store")?).await,
        store => {
            let number = |at: usize, default| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
            measure(store, number(1, 20_000), number(2, 32)).await
        }
    }
}

async fn service(store: &str) -> Result<()> {
    let (store, clock) = (Store::open(store).await?, Arc::new(SystemClock));
    let directory = Directory::new(store.clone(), clock.clone());
    let state = ServerState::new(directory, store, clock, Token::Fixed(Secret::new(TOKEN)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    Ok(serve(listener, state, async { drop(ended.await) }).await?)
}

async fn measure(store: Option<&str>, users: u64, clients: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("provost.db").display());
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["serve", store.unwrap_or(&file)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let process = child.id().ok_or("the service ended")?;
    let mut address = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut address).await?;
    let address: Arc<str> = address.trim().into();

    let create = |index: u64| ("POST", "/scim/v2/Users".to_owned(), body(index), 201);
    let find = |index: u64| {
        let path = format!("/scim/v2/Users?filter=userName%20eq%20%22person{index}%40example.org%22");
        ("GET", path, String::new(), 200)
    };
    let warm = users..users + users / 10;
    run("warming up", &address, process, clients, warm.clone(), create).await?;
    run("create", &address, process, clients, 0..users, create).await?;
    run("find by userName", &address, process, clients, 0..users, find).await?;
    run("create, one client", &address, process, 1, warm.end..warm.end + users / 10, create).await
}

async fn run(
    what: &str,
    address: &Arc<str>,
    process: u32,
    clients: u64,
    range: std::ops::Range<u64>,
    request: impl Fn(u64) -> (&'static str, String, String, u16) + Copy + Send + 'static,
) -> Result<()> {
    let next = Arc::new(AtomicU64::new(range.start));
    let mut workers = JoinSet::new();
    let (before, commits, start) = (processor(process)?, commits(address).await?, Instant::now());
    for _ in 0..clients {
        let (address, next, end) = (address.clone(), next.clone(), range.end);
        workers.spawn(async move {
            let stream = TcpStream::connect(&*address).await?;
            stream.set_nodelay(true)?;
            let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= end {
                    return Ok::<_, Box<dyn Error + Send + Sync>>(());
                }
                let (method, path, body, wanted) = request(index);
                let request = Request::builder()
                    .method(method)
                    .uri(path)
                    .header("host", &*address)
                    .header("authorization", format!("Bearer {TOKEN}"))
                    .header("content-type", "application/scim+json");
                sender.ready().await?;
                let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await?.to_bytes();
                if status != wanted {
                    return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
                }
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let (count, seconds) = ((range.end - range.start) as f64, start.elapsed().as_secs_f64());
    let cpu = (processor(process)? - before) / count * 1e6;
    let commits = self::commits(address).await? - commits;
    writeln!(
        std::io::stdout(),
        "{what:<20} {clients:>3} clients {count:>7} requests {:>8.0}/s {:>7.1} us each, {cpu:>6.1} us of the service's CPU, {commits} commits",
        count / seconds,
        seconds / count * 1e6,
    )?;
    Ok(())
}

/// How many transactions the service says it has begun.
async fn commits(address: &str) -> Result<u64> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::spawn(connection);
    let request = Request::get("/metrics").header("host", address).body(Full::<Bytes>::default())?;
    let metrics = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    let line = metrics.lines().find_map(|line| line.strip_prefix("provost_directory_commits_total "));
    Ok(line.ok_or("no such metric")?.parse()?)
}

/// Seconds of processor time that a process has used, in ticks of 10 ms.
fn processor(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).ok_or("no such field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn body(index: u64) -> String {
    format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\",\
         \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"],\"userName\":\"person{index}@example.org\",\
         \"externalId\":\"{index:08}\",\"active\":true,\"displayName\":\"Person Number {index}\",\
         \"name\":{{\"givenName\":\"Person\",\"familyName\":\"Number {index}\"}},\"title\":\"Engineer\",\
         \"emails\":[{{\"value\":\"person{index}@example.org\",\"type\":\"work\",\"primary\":true}}],\
         \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\":{{\"employeeNumber\":\"{index}\",\
         \"department\":\"Research and Development\"}}}}"
    )
}
