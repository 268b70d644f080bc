//! Nothing outlives its owner: not when it is dropped, not when the test panics, not when its process is killed.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use provost_testkit::{
    Error, Workdir, postgres,
    process::{Process, Spec},
    scim2_server, scimmy,
};

const OWNER: &str = "PROVOST_TEST_OWNER";

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Generous, since it is only waited for in full when something is wrong.
fn becomes(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "not so after 20 seconds: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn shell(script: &str) -> Spec {
    Spec {
        name: "shell".to_owned(),
        command: ["sh", "-c", script].map(Into::into).into(),
        env: Vec::new(),
        stop: "TERM",
    }
}

#[tokio::test]
async fn a_dropped_peer_is_gone_with_its_folder() {
    let peer = scimmy::start().await.unwrap();
    let port = peer.port();
    assert!(listens(port));
    drop(peer);
    assert!(!listens(port));

    let process = Process::start(shell("echo up; sleep 1000"), Workdir::new("shell").unwrap()).unwrap();
    process.ready(Duration::from_secs(20), async |log| log.contains("up").then_some(())).await.unwrap();
    let folder = process.folder().to_owned();
    assert!(folder.exists());
    drop(process);
    assert_eq!(folder.exists(), std::env::var_os("PROVOST_TEST_KEEP").is_some());
}

#[tokio::test]
async fn a_panic_stops_the_peer() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async move {
        let peer = scimmy::start().await.unwrap();
        send.send(peer.port()).unwrap();
        panic!("on purpose");
    });
    let port = receive.await.unwrap();
    assert!(test.await.unwrap_err().is_panic());
    assert!(!listens(port));
}

#[tokio::test]
async fn what_a_peer_started_goes_too_and_a_deaf_peer_is_killed() {
    let script = "trap '' TERM; sleep 1000 & echo \"child $!\"; wait; sleep 1000";
    let process = Process::start(shell(script), Workdir::new("shell").unwrap()).unwrap();
    let child = async |log: &str| log.trim().strip_prefix("child ").and_then(|id| id.parse::<u32>().ok());
    let child = process.ready(Duration::from_secs(20), child).await.unwrap();
    let proc = PathBuf::from(format!("/proc/{child}"));
    assert!(proc.exists());
    drop(process);
    becomes("the peer's own child is gone", || !proc.exists());
}

#[tokio::test]
async fn a_peer_that_ends_or_hangs_shows_its_log() {
    let start = |script| Process::start(shell(script), Workdir::new("shell").unwrap()).unwrap();
    let never = async |_: &str| None::<()>;
    let died = start("echo last words; exit 7").ready(Duration::from_secs(20), never).await.unwrap_err();
    assert!(matches!(&died, Error::Died { status, log, .. } if status == "7" && log == "last words"), "{died}");
    let slow = start("echo still busy; sleep 1000");
    let late = slow.ready(Duration::from_millis(500), never).await.unwrap_err();
    assert!(matches!(&late, Error::NotReady { log, .. } if log == "still busy"), "{late}");
}

/// The process that the next test kills: not a test of its own.
#[tokio::test]
#[ignore = "started by a_killed_process_leaves_nothing_behind"]
async fn owner() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    let one = scimmy::start().await.unwrap();
    let two = scim2_server::start().await.unwrap();
    let url = postgres::Server::start(postgres::Options::default()).await.map(|server| {
        let url = server.url().to_owned();
        std::mem::forget(server);
        url
    });
    let port = url.unwrap().trim_end_matches("/postgres").rsplit(':').next().unwrap().to_owned();
    println!("\nports {} {} {port}", one.port(), two.port());
    tokio::time::sleep(Duration::from_secs(300)).await;
}

#[test]
fn a_killed_process_leaves_nothing_behind() {
    let temporary = Workdir::new("killed").unwrap();
    // PostgreSQL may run as another user, who must get through to its folder; and a socket's path must be short.
    let open = Command::new("chmod").arg("755").arg(temporary.path()).status().unwrap();
    assert!(open.success());
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["owner", "--exact", "--ignored", "--nocapture"])
        .env(OWNER, "1")
        .env("TMPDIR", temporary.path())
        .env_remove("PROVOST_TEST_KEEP")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let ports = lines.map_while(Result::ok).find_map(|line| {
        let ports: Option<Vec<u16>> = line.strip_prefix("ports ")?.split(' ').map(|port| port.parse().ok()).collect();
        ports
    });
    let ports = ports.expect("the owner prints its peers' ports");
    assert_eq!(ports.len(), 3);
    assert!(ports.iter().all(|port| listens(*port)), "{ports:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    becomes("all ports are closed", || !ports.iter().any(|port| listens(*port)));
    becomes("all folders are removed", || std::fs::read_dir(temporary.path()).unwrap().next().is_none());
}
