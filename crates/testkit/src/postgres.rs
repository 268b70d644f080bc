//! A throwaway PostgreSQL server, from the system's package: one per test process, a new database per test.
//!
//! `fsync` is off unless asked for, the locale is C.UTF-8, and everybody on the loopback address may connect as `postgres`
//! without a password. initdb refuses to run as root, so root runs it as the package's system user `postgres`. Databases
//! on a server given by `PROVOST_TEST_POSTGRES` are left there; those of our own go with the server.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, sync::OnceCell};

use crate::{
    Error, Workdir, free_port,
    process::{Process, Spec, fresh_name},
};

const NAME: &str = "postgres";
const PACKAGED: &str = "/usr/lib/postgresql";

/// Arguments: the folder of the programs, the port, then further settings. In one process, so that whoever stops the server
/// stops initdb too; `exec` keeps the process id.
const START: &str = r#"
bin=$1 port=$2
shift 2
"$bin/initdb" -D data -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions || exit 1
exec "$bin/postgres" -D data -p "$port" -c unix_socket_directories="$PWD" -c listen_addresses=127.0.0.1 "$@"
"#;

/// How a server is to be run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Writes survive a crash of the machine. A crash of the server alone they survive either way.
    pub durable: bool,
    /// Further settings, as in postgresql.conf: `("max_connections", "500")`.
    pub settings: Vec<(String, String)>,
}

/// A server of one's own; stopped on drop, its databases gone.
#[derive(Debug)]
pub struct Server {
    process: Option<Process>,
    /// Of the database `postgres`.
    url: String,
    psql: PathBuf,
}

static SHARED: OnceCell<Server> = OnceCell::const_new();

/// The server that all tests of this process share, started at the first call.
pub async fn shared() -> Result<&'static Server, Error> {
    SHARED
        .get_or_try_init(async || match std::env::var("PROVOST_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => Server::existing(url),
            _ => Server::start(Options::default()).await,
        })
        .await
}

/// A new, empty database on the shared server; its URL, `postgres://…`.
pub async fn fresh_database() -> Result<String, Error> {
    shared().await?.fresh_database().await
}

impl Server {
    /// Starts a new server. About two seconds.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let bin = programs()?;
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_start(&bin, &options).await {
                Err(Error::Died { log, .. }) if tries < 3 && log.contains("Address already in use") => {}
                result => return result,
            }
        }
    }

    /// A server that somebody else runs, by the URL of any of its databases.
    pub fn existing(url: String) -> Result<Self, Error> {
        let psql = programs().map(|bin| bin.join("psql")).unwrap_or_else(|_| "psql".into());
        Ok(Self { process: None, url, psql })
    }

    async fn try_start(bin: &Path, options: &Options) -> Result<Self, Error> {
        let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
        let folder = Workdir::new(NAME)?;
        let mut command = unprivileged(folder.path()).await?;
        command.extend(["sh", "-c", START, "sh"].map(OsString::from));
        command.push(bin.into());
        command.push(port.to_string().into());
        let quick = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
        let quick = quick.iter().filter(|_| !options.durable).map(|(name, value)| format!("{name}={value}"));
        let common = ["max_connections=300".to_owned(), "shared_buffers=64MB".to_owned()];
        let asked = options.settings.iter().map(|(name, value)| format!("{name}={value}"));
        for setting in quick.chain(common).chain(asked) {
            command.extend(["-c".into(), setting.into()]);
        }
        let env = vec![("LC_ALL", OsString::from("C.UTF-8"))];
        // SIGINT is PostgreSQL's "fast" stop: it does not wait for clients.
        let process = Process::start(Spec { name: NAME.to_owned(), command, env, stop: "INT" }, folder)?;
        let mut asked = Command::new(bin.join("pg_isready"));
        asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let probe = async |log: &str| {
            let said = log.contains("database system is ready to accept connections");
            (said && asked.status().await.is_ok_and(|status| status.success())).then_some(())
        };
        process.ready(Duration::from_secs(90), probe).await?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Ok(Self { process: Some(process), url, psql: bin.join("psql") })
    }

    /// The URL of its database `postgres`, or the URL it was made from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new, empty database with a name never used before; its URL.
    pub async fn fresh_database(&self) -> Result<String, Error> {
        let name = fresh_name();
        self.psql(&self.url, &format!("create database {name}")).await?;
        Ok(with_database(&self.url, &name))
    }

    /// Runs a statement through psql; its rows, one a line, columns divided by `|`.
    pub async fn psql(&self, url: &str, statement: &str) -> Result<String, Error> {
        let failed = |reason: String| Error::Statement { url: url.to_owned(), statement: statement.to_owned(), reason };
        let output = Command::new(&self.psql)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(format!("{}: {error}", self.psql.display())))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What the server has printed so far; empty for one that somebody else runs.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

/// The folder with initdb and postgres: the newest that the package manager installed, else wherever the path leads.
fn programs() -> Result<PathBuf, Error> {
    let packaged = fs::read_dir(PACKAGED).into_iter().flatten().flatten();
    let packaged = packaged.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        bin.join("initdb").exists().then_some((version, bin))
    });
    let newest = packaged.max().map(|(_, bin)| bin);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    newest.or_else(on_path).ok_or_else(|| Error::Missing {
        what: "PostgreSQL",
        looked: format!("{PACKAGED}/*/bin/initdb, and initdb on the path"),
    })
}

/// What to put before a command so that it does not run as root: nothing for others. Gives `folder` to that user.
async fn unprivileged(folder: &Path) -> Result<Vec<OsString>, Error> {
    if id(&["-u"]).await != Some(0) {
        return Ok(Vec::new());
    }
    let (Some(uid), Some(gid)) = (id(&["-u", "postgres"]).await, id(&["-g", "postgres"]).await) else {
        return Err(Error::Missing { what: "PostgreSQL", looked: "the system user postgres".to_owned() });
    };
    chown(folder, Some(uid), Some(gid)).map_err(Error::system(NAME, "give its folder to the user postgres"))?;
    // setpriv replaces itself by the command, so signals reach the server and not a go-between as with su or runuser.
    let user = [format!("--reuid={uid}"), format!("--regid={gid}")];
    Ok(["setpriv", &user[0], &user[1], "--clear-groups"].map(OsString::from).into())
}

async fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().await.ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// The same URL for another database of that server.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = match url.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    format!("{}/{name}{parameters}", &address[..end])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn another_database_of_the_same_server() {
        for (url, expected) in [
            ("postgres://u@h:1/postgres", "postgres://u@h:1/new"),
            ("postgres://u:p%2Fq@h:1/a?sslmode=disable", "postgres://u:p%2Fq@h:1/new?sslmode=disable"),
            ("postgres://u@h:1", "postgres://u@h:1/new"),
            ("postgres://h?host=/run/x", "postgres://h/new?host=/run/x"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
