//! The three servers, each a process of its own that ends with its handle.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provost_testkit::{Peer, free_port, scim2_server, scimmy};

use super::super::child::measure;
use crate::error::{Error, Result};

pub struct Server {
    /// `127.0.0.1:8080`
    pub host: String,
    /// The base path, `/scim/v2`.
    pub path: String,
    pub token: String,
    /// Of ours alone.
    pub pid: Option<u32>,
    _process: Process,
}

#[expect(dead_code, reason = "held until the server is no longer needed")]
enum Process {
    Ours(Ended),
    Theirs(Peer),
}

/// Killed with its handle: what it wrote is thrown away anyway.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Server {
    /// Over a new SQLite file in `folder`.
    pub async fn provost(binary: Option<&Path>, folder: &Path) -> Result<Self> {
        let Some(binary) = binary else {
            return Err(Error::Usage(
                "the scenario `service` measures the real binary\nhint: --engine provost".to_owned(),
            ));
        };
        fs::write(folder.join("provost.yaml"), "").map_err(Error::file("write", folder))?;
        let mut create = Command::new(binary);
        create.args(["token", "create", "--name", "bench"]);
        let token = measure(create, folder)?.stdout.trim().to_owned();
        let port = free_port().map_err(Error::io("find a free port"))?;
        let host = format!("127.0.0.1:{port}");
        let log = File::create(folder.join("serve.log")).map_err(Error::file("create", folder))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &host]).current_dir(folder).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(Error::file("start", binary))?;
        let pid = Some(child.id());
        let process = Process::Ours(Ended(child));
        let server = Self { host, path: "/scim/v2".to_owned(), token, pid, _process: process };
        let start = Instant::now();
        while tokio::net::TcpStream::connect(&server.host).await.is_err() {
            if start.elapsed() > Duration::from_secs(20) {
                return Err(Error::Other(format!("provost serve does not listen on {}", server.host)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    pub async fn scim2_server() -> Result<Self> {
        scim2_server::start().await.map(Self::peer).map_err(missing)
    }

    pub async fn scimmy() -> Result<Self> {
        scimmy::start().await.map(Self::peer).map_err(missing)
    }

    fn peer(peer: Peer) -> Self {
        let host = format!("127.0.0.1:{}", peer.port());
        let path = peer.base_url().trim_start_matches(&peer.origin()).to_owned();
        Self { host, path, token: peer.token().to_owned(), pid: None, _process: Process::Theirs(peer) }
    }
}

fn missing(error: provost_testkit::Error) -> Error {
    Error::Other(format!("{error}\nhint: make deps"))
}
