//! The three servers, each a process of its own that ends with its handle.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use provost_testkit::{Peer, free_port, scim2_server, scimmy};

use super::caller::Address;
use crate::error::{Error, Result};
use crate::machine::cpu::{self, CpuTime};
use crate::scenario::child::measure;

/// How long ours may take until it listens.
const START: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: Address,
    process: Process,
}

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
    /// Over a new SQLite file in `folder`, which has to be there, with this configuration.
    pub async fn provost(binary: &Path, folder: &Path, config: &str) -> Result<Self> {
        fs::write(folder.join("provost.yaml"), config).map_err(Error::file("write", folder))?;
        let mut create = Command::new(binary);
        create.args(["token", "create", "--name", "bench"]);
        let token = measure(create, folder)?.stdout.trim().to_owned();
        let port = free_port().map_err(Error::io("find a free port"))?;
        let host = format!("127.0.0.1:{port}");
        let log = folder.join("serve.log");
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &host]).current_dir(folder).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).map_err(Error::file("create", &log))?);
        let mut child = Ended(command.spawn().map_err(Error::file("start", binary))?);
        let start = Instant::now();
        while tokio::net::TcpStream::connect(&host).await.is_err() {
            let ended = child.0.try_wait().map_err(Error::io("look after provost serve"))?;
            if ended.is_some() || start.elapsed() > START {
                let status = ended.map_or_else(|| format!("nothing on {host}"), |status| status.to_string());
                let stderr = fs::read_to_string(&log).unwrap_or_default();
                let (program, folder) = ("provost serve".to_owned(), folder.display().to_string());
                return Err(Error::Child { program, status, stderr, folder });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let address = Address { host, path: "/scim/v2".to_owned(), token };
        Ok(Self { address, process: Process::Ours(child) })
    }

    pub async fn scim2_server() -> Result<Self> {
        scim2_server::start().await.map(Self::peer).map_err(not_started)
    }

    pub async fn scimmy() -> Result<Self> {
        scimmy::start().await.map(Self::peer).map_err(not_started)
    }

    fn peer(peer: Peer) -> Self {
        let host = format!("127.0.0.1:{}", peer.port());
        let path = peer.base_url().trim_start_matches(&peer.origin()).to_owned();
        let address = Address { host, path, token: peer.token().to_owned() };
        Self { address, process: Process::Theirs(peer) }
    }

    /// What it has used so far, in ticks of 10 ms; None once it has ended.
    pub fn cpu(&self) -> Option<CpuTime> {
        match &self.process {
            Process::Ours(child) => cpu::of(child.0.id()),
            Process::Theirs(peer) => cpu::of_group(peer.group()),
        }
    }

    /// Of ours, which is one process.
    pub fn pid(&self) -> Option<u32> {
        match &self.process {
            Process::Ours(child) => Some(child.0.id()),
            Process::Theirs(_) => None,
        }
    }
}

/// The error of a peer that is not installed says how to get it.
fn not_started(error: provost_testkit::Error) -> Error {
    Error::Other(error.to_string())
}
