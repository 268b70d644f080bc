//! One supervised process: started in a folder of its own, awaited until ready, stopped on drop, and never left behind.
//!
//! A peer is not started directly but by a small supervisor shell in a process group of its own, which holds the reading
//! end of a pipe whose writing end this process alone has. When the pipe reaches its end, because the owner was dropped,
//! panicked or was killed by SIGKILL, the supervisor stops the peer, then everything else in the group, and removes the
//! folder. That also covers a peer kept in a `static`, which Rust never drops. Reactor-free on purpose (`std::process`): a
//! shared peer outlives the runtime of the test that started it first.

use std::{
    ffi::OsString,
    fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::Error;

/// Arguments: the signal that stops the peer, its folder, then the peer's command line. The peer is given five seconds to
/// stop. `exit` appears in the folder, whole, as soon as the peer has ended. The last line ends what is deaf to SIGTERM
/// among the peer's own children, and the supervisor with it.
const SUPERVISOR: &str = r#"
signal=$1 folder=$2
shift 2
exec 3<&0 </dev/null
"$@" 3<&- >"$folder/peer.log" 2>&1 &
peer=$!
(
    while read -r _ <&3; do :; done
    [ -e "$folder/exit" ] && exit
    kill -s "$signal" "$peer"
    tries=0
    while [ "$tries" -lt 100 ] && kill -s 0 "$peer"; do
        tries=$((tries + 1))
        sleep 0.05
    done
    kill -s KILL "$peer"
) 2>/dev/null &
watcher=$!
wait "$peer"
echo "$?" >"$folder/exit.new"
mv "$folder/exit.new" "$folder/exit"
wait "$watcher"
trap '' TERM
kill -s TERM 0
[ -n "$PROVOST_TEST_KEEP" ] || rm -rf "$folder"
kill -s KILL 0
"#;

/// How long drop waits for the supervisor before it kills the whole group itself.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often readiness is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A TCP port on the loopback address that was free a moment ago. Another process may take it before it is used: prefer
/// peers that choose their own port, and try again when one says that the address is in use.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A name of a database that was never used before, on whatever server.
pub(crate) fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let random = RandomState::new().build_hasher().finish();
    format!("provost_test_{}_{count}_{random:016x}", std::process::id())
}

/// Where `make deps` puts what it installs.
pub fn work_folder() -> PathBuf {
    match std::env::var_os("PROVOST_TEST_WORK") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.work"),
    }
}

/// A temporary folder, removed on drop unless it was handed on or `PROVOST_TEST_KEEP` is set.
#[derive(Debug)]
pub struct Workdir(tempfile::TempDir);

impl Workdir {
    /// A new empty folder whose name starts with `provost-` and `name`, readable by its owner alone.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut folder = tempfile::Builder::new()
            .prefix(&format!("provost-{name}-"))
            .tempdir()
            .map_err(Error::system(name, "make a temporary folder"))?;
        folder.disable_cleanup(std::env::var_os("PROVOST_TEST_KEEP").is_some());
        Ok(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives the folder to somebody else, who removes it.
    pub fn into_path(self) -> PathBuf {
        self.0.keep()
    }
}

/// What to start. The process gets this one's environment with `env` over it, and its folder as working directory.
#[derive(Debug)]
pub struct Spec {
    /// For error messages and the folder's name.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<OsString>,
    pub env: Vec<(&'static str, OsString)>,
    /// The signal that asks the program to end, without `SIG`.
    pub stop: &'static str,
}

/// A running peer process; stopped, with everything it started, on drop.
#[derive(Debug)]
pub struct Process {
    name: String,
    folder: PathBuf,
    supervisor: Child,
    /// Never written to. That it is open keeps the peer alive.
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts the peer in `folder`, which the supervisor owns from here on and removes.
    pub fn start(spec: Spec, folder: Workdir) -> Result<Self, Error> {
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "sh", spec.stop])
            .arg(folder.path())
            .args(&spec.command)
            .envs(spec.env)
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::system(&spec.name, "start the supervisor"))?;
        let lifeline = supervisor.stdin.take();
        Ok(Self { name: spec.name, folder: folder.into_path(), supervisor, lifeline })
    }

    /// Waits until `probe` returns something; it is shown the peer's log so far. Fails with the end of that log when the
    /// peer ends first, or after `limit`.
    pub async fn ready<T>(&self, limit: Duration, mut probe: impl AsyncFnMut(&str) -> Option<T>) -> Result<T, Error> {
        let end = Instant::now() + limit;
        loop {
            // The order matters: a peer that ended between the two has its last words in the log.
            let exit = fs::read_to_string(self.folder.join("exit")).ok();
            let log = self.log();
            if let Some(status) = exit {
                let status = status.trim().to_owned();
                return Err(Error::Died { peer: self.name.clone(), status, log: tail(&log) });
            }
            if let Some(found) = probe(&log).await {
                return Ok(found);
            }
            if Instant::now() >= end {
                return Err(Error::NotReady { peer: self.name.clone(), after: limit, log: tail(&log) });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Everything the peer has printed so far.
    pub fn log(&self) -> String {
        fs::read(self.folder.join("peer.log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// The process group that the peer and everything it starts are in.
    pub fn group(&self) -> u32 {
        self.supervisor.id()
    }

    /// The peer's folder; gone soon after the drop.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let end = Instant::now() + STOP_LIMIT;
        while Instant::now() < end {
            match self.supervisor.try_wait() {
                Ok(Some(_)) => return,
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        let group = self.supervisor.id().to_string();
        let _ =
            Command::new("sh").args(["-c", r#"kill -s KILL -- "-$1""#, "sh", &group]).stderr(Stdio::null()).status();
        let _ = self.supervisor.wait();
    }
}

/// The last forty lines.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
