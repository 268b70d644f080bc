//! A throwaway 389 Directory Server (Debian's 389-ds-base): ns-slapd itself, in a folder and on a port of its own, without
//! dscreate and systemd. About a second.
//!
//! One database below [`BASE`] with two containers, the retro changelog switched on, and one user, [`ADMIN`], who may do
//! everything. Nobody reads without a password but the root entry.
//!
//! What was found by asking it: the changelog names the entry of a change by its `nsUniqueId` only where the plug-in's
//! `nsslapd-attribute: nsuniqueid:targetUniqueId` asks for that, as it does here; the changelog's place and its bounds stand in the root entry; `nsUniqueId` and
//! `nsAccountLock` are operational; a size limit of 2,000 holds for all but [`ADMIN`], paged or not.

use std::{ffi::OsString, fs, path::Path, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    Error, Workdir, free_port,
    process::{Process, Spec},
};

const NAME: &str = "389-ds";
const PROGRAM: &str = "/usr/sbin/ns-slapd";
const TEMPLATE: &str = "/usr/share/dirsrv/data/template-dse.ldif";
pub const BASE: &str = "dc=example,dc=org";
pub const PEOPLE: &str = "ou=people,dc=example,dc=org";
pub const GROUPS: &str = "ou=groups,dc=example,dc=org";
pub const ADMIN: &str = "cn=Directory Manager";
pub const PASSWORD: &str = "ds389-secret";

/// A running server; stopped, its folder gone, on drop.
#[derive(Debug)]
pub struct Ds389 {
    process: Process,
    url: String,
}

impl Ds389 {
    /// Starts one; without `changelog` it has no feed of changes.
    pub async fn start(changelog: bool) -> Result<Self, Error> {
        if !Path::new(PROGRAM).exists() {
            return Err(Error::Missing { what: NAME, looked: PROGRAM.to_owned() });
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_start(changelog).await {
                Err(Error::Died { .. }) if tries < 3 => {}
                result => return result,
            }
        }
    }

    async fn try_start(changelog: bool) -> Result<Self, Error> {
        let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
        let folder = Workdir::new(NAME)?;
        prepare(folder.path(), port, changelog).await.map_err(Error::system(NAME, "write its configuration"))?;
        let config = folder.path().join("config");
        let command: Vec<OsString> = vec![
            PROGRAM.into(),
            "-D".into(),
            config.into(),
            "-i".into(),
            folder.path().join("run/pid").into(),
            "-d".into(),
            "0".into(),
        ];
        let process = Process::start(Spec { name: NAME.to_owned(), command, env: Vec::new(), stop: "TERM" }, folder)?;
        let url = format!("ldap://127.0.0.1:{port}");
        // An entry that is there already was added by the try before.
        let probe = async |_: &str| {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            add(&url, &base()).await.ok().filter(|status| matches!(status, Some(0 | 68)))
        };
        process.ready(Duration::from_secs(90), probe).await?;
        Ok(Self { process, url })
    }

    /// `ldap://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Deletes an entry, as [`ADMIN`].
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let failed =
            |reason: String| Error::Statement { url: self.url.clone(), statement: format!("delete {name}"), reason };
        let output = Command::new("ldapdelete")
            .args(["-x", "-H", &self.url, "-D", ADMIN, "-w", PASSWORD, name])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(())
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.process.folder().join("log/errors")).unwrap_or_default()
    }
}

/// The folders, the schema, and the package's own configuration with the marks in it filled.
async fn prepare(folder: &Path, port: u16, changelog: bool) -> std::io::Result<()> {
    for name in ["config/schema", "lock", "tmp", "ldif", "bak", "run", "log", "db", "inst"] {
        fs::create_dir_all(folder.join(name))?;
    }
    for (from, to) in [
        ("/etc/dirsrv/config", "config"),
        ("/usr/share/dirsrv/schema", "config/schema"),
        ("/etc/dirsrv/schema", "config/schema"),
    ] {
        for file in fs::read_dir(from)? {
            let file = file?;
            fs::copy(file.path(), folder.join(to).join(file.file_name()))?;
        }
    }
    let user = Command::new("id").arg("-un").output().await?.stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    let at = |name: &str| folder.join(name).display().to_string();
    let marks = [
        ("schema_dir", at("config/schema")),
        ("lock_dir", at("lock")),
        ("tmp_dir", at("tmp")),
        ("cert_dir", at("config")),
        ("config_dir", at("config")),
        ("ldif_dir", at("ldif")),
        ("bak_dir", at("bak")),
        ("run_dir", at("run")),
        ("inst_dir", at("inst")),
        ("log_dir", at("log")),
        ("db_dir", at("db")),
        ("db_home_dir", at("db")),
        ("db_lib", "bdb".to_owned()),
        ("fqdn", "localhost".to_owned()),
        ("ds_port", port.to_string()),
        ("ds_user", user),
        ("rootdn", ADMIN.to_owned()),
        ("ds_passwd", format!("{{CLEAR}}{PASSWORD}")),
        ("ldapi_enabled", "off".to_owned()),
        ("ldapi", at("run/socket")),
        ("ldapi_autobind", "off".to_owned()),
        ("ds_suffix", BASE.to_owned()),
    ];
    let mut text = fs::read_to_string(TEMPLATE)?;
    for (mark, value) in marks {
        text = text.replace(&format!("%{mark}%"), &value);
    }
    // The password stands there as it is.
    text = text.replacen("nsslapd-rootpw:", "nsslapd-rootpwstoragescheme: CLEAR\nnsslapd-rootpw:", 1);
    if changelog {
        text = switched_on(&text, "cn=Retro Changelog Plugin,");
    }
    fs::write(folder.join("config/dse.ldif"), format!("{}\n\n{DATABASE}", text.trim_end()))
}

/// The configuration with one plug-in switched on.
fn switched_on(text: &str, plugin: &str) -> String {
    let entries = text.split("\n\n").map(|entry| match entry.trim_start().starts_with(&format!("dn: {plugin}")) {
        true => entry.replace(
            "nsslapd-pluginenabled: off",
            "nsslapd-pluginenabled: on\nnsslapd-attribute: nsuniqueid:targetUniqueId",
        ),
        false => entry.to_owned(),
    });
    entries.collect::<Vec<_>>().join("\n\n")
}

const DATABASE: &str = "dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectclass: top
objectclass: extensibleObject
objectclass: nsBackendInstance
cn: userRoot
nsslapd-suffix: dc=example,dc=org

dn: cn=\"dc=example,dc=org\",cn=mapping tree,cn=config
objectclass: top
objectclass: extensibleObject
objectclass: nsMappingTree
cn: dc=example,dc=org
nsslapd-state: backend
nsslapd-backend: userRoot
";

fn base() -> String {
    format!(
        "dn: {BASE}\nobjectClass: domain\ndc: example\n\n\
         dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n"
    )
}

/// Adds entries; the status that ldapadd ended with.
async fn add(url: &str, ldif: &str) -> std::io::Result<Option<i32>> {
    let mut child = Command::new("ldapadd")
        .args(["-x", "-c", "-H", url, "-D", ADMIN, "-w", PASSWORD])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(ldif.as_bytes()).await?;
    }
    Ok(child.wait().await?.code())
}
