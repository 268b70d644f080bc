//! A throwaway MariaDB server, from the system's package: one per test process, a new database per test.
//!
//! Everybody on the loopback address may connect as `root` without a password, and nothing is flushed to disk for safety.
//! Databases go with the server.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, sync::OnceCell};

use crate::{
    Error, Workdir, free_port,
    process::{Process, Spec, fresh_name},
};

const NAME: &str = "mariadb";

/// Arguments: the two programs, the port, then further options of the server. It insists on being told its user, and takes
/// the one that runs it.
const START: &str = r#"
install=$1 server=$2 port=$3
shift 3
"$install" --no-defaults --user="$(id -un)" --datadir="$PWD/data" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve --cross-bootstrap || exit 1
exec "$server" --no-defaults --user="$(id -un)" --datadir="$PWD/data" --port="$port" --bind-address=127.0.0.1 \
    --socket="$PWD/socket" --pid-file="$PWD/pid" --skip-name-resolve --skip-log-bin --character-set-server=utf8mb4 \
    --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --max-connections=300 "$@"
"#;

/// A server of one's own; stopped on drop, its databases gone.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    client: PathBuf,
}

static SHARED: OnceCell<Server> = OnceCell::const_new();

/// The server that all tests of this process share, started at the first call.
pub async fn shared() -> Result<&'static Server, Error> {
    SHARED.get_or_try_init(|| Server::start(&[])).await
}

impl Server {
    /// Starts a new server with further options (`--sql-mode=…`). About three seconds.
    pub async fn start(options: &[&str]) -> Result<Self, Error> {
        let (install, server) = (program("mariadb-install-db")?, program("mariadbd")?);
        let client = program("mariadb")?;
        let mut tries = 0;
        loop {
            tries += 1;
            let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
            let mut command: Vec<OsString> = ["sh", "-c", START, "sh"].map(OsString::from).into();
            command.extend([install.clone().into(), server.clone().into(), port.to_string().into()]);
            command.extend(options.iter().map(OsString::from));
            let spec = Spec { name: NAME.to_owned(), command, env: Vec::new(), stop: "TERM" };
            let process = Process::start(spec, Workdir::new(NAME)?)?;
            let started = Self { process, port, client: client.clone() };
            // What it says at the bootstrap is not meant.
            let probe = async |log: &str| {
                let said = log.contains(&format!("port: {port}"));
                (said && started.run("", "select 1").await.is_ok()).then_some(())
            };
            match started.process.ready(Duration::from_secs(90), probe).await {
                Err(Error::Died { log, .. }) if tries < 3 && log.contains("Address already in use") => {}
                result => return result.map(|()| started),
            }
        }
    }

    /// A new, empty database with a name never used before; its URL, `mysql://root@…`.
    pub async fn fresh_database(&self) -> Result<String, Error> {
        let name = fresh_name();
        self.run("", &format!("create database {name}")).await?;
        Ok(format!("mysql://root@127.0.0.1:{}/{name}", self.port))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements through the client in a database (or none); its rows, one a line, columns divided by tabs.
    pub async fn run(&self, database: &str, statements: &str) -> Result<String, Error> {
        let url = format!("mysql://root@127.0.0.1:{}/{database}", self.port);
        let failed = |reason: String| Error::Statement { url: url.clone(), statement: statements.to_owned(), reason };
        let output = Command::new(&self.client)
            .args(["--no-defaults", "-h", "127.0.0.1", "-P", &self.port.to_string(), "-u", "root", "-N", "-B"])
            .args(["--default-character-set=utf8mb4", "-e", statements, database])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(format!("{}: {error}", self.client.display())))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// A program of the package: where Debian puts it, else wherever the path leads.
fn program(name: &'static str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/bin", "/usr/sbin"].map(PathBuf::from).into_iter().chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(name)).find(|program| Path::exists(program));
    found.ok_or_else(|| Error::Missing {
        what: "MariaDB",
        looked: format!("{name} in /usr/bin, /usr/sbin and on the path"),
    })
}
