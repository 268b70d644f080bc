//! A throwaway OpenLDAP server (Debian's slapd): a port and a folder of its own, loaded before it starts.
//!
//! One database below [`BASE`] with two containers, the overlays that keep `memberOf` and content synchronisation, and one
//! user, [`ADMIN`], who may do everything. Passwords are checked; nobody reads without one. About a tenth of a second.

use std::{ffi::OsString, fs, path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

use crate::{
    Error, Workdir,
    authority::Issued,
    free_port,
    process::{Process, Spec},
};

const NAME: &str = "slapd";
const PROGRAM: &str = "/usr/sbin/slapd";
pub const BASE: &str = "dc=example,dc=org";
pub const PEOPLE: &str = "ou=people,dc=example,dc=org";
pub const GROUPS: &str = "ou=groups,dc=example,dc=org";
pub const ADMIN: &str = "cn=admin,dc=example,dc=org";
pub const PASSWORD: &str = "slapd-secret";

/// Loads the containers, then serves. In one process, so that whoever stops the server stops the loading, too.
const START: &str = r#"
/usr/sbin/slapadd -q -f slapd.conf -l base.ldif || exit 1
exec /usr/sbin/slapd -d 0 -f slapd.conf -h "$1"
"#;

/// A running server; stopped, its folder gone, on drop.
#[derive(Debug)]
pub struct Slapd {
    process: Process,
    url: String,
    secure_url: Option<String>,
}

/// How a server is to be run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further lines of the database's part of slapd.conf.
    pub settings: Vec<String>,
    /// More entries, as LDIF.
    pub ldif: String,
    /// Without the overlays.
    pub plain: bool,
    /// Lines for the overlay syncprov, such as `syncprov-sessionlog 100`.
    pub sync: Vec<String>,
    /// Lines of the part for all databases, such as an `authz-regexp`.
    pub global: Vec<String>,
    /// Also serves with TLS: what the server shows, and the authority of the clients' certificates.
    pub tls: Option<(Issued, String)>,
}

impl Slapd {
    pub async fn start(options: &Options) -> Result<Self, Error> {
        if !Path::new(PROGRAM).exists() {
            return Err(Error::Missing { what: NAME, looked: PROGRAM.to_owned() });
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_start(options).await {
                Err(Error::Died { .. }) if tries < 3 => {}
                result => return result,
            }
        }
    }

    async fn try_start(options: &Options) -> Result<Self, Error> {
        let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
        let folder = Workdir::new(NAME)?;
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).map_err(Error::system(NAME, "write its configuration"))
        };
        fs::create_dir(folder.path().join("data")).map_err(Error::system(NAME, "make its folder"))?;
        write("slapd.conf", &configuration(folder.path(), options))?;
        write("base.ldif", &format!("{}\n{}", base(), options.ldif))?;
        let url = format!("ldap://127.0.0.1:{port}");
        let mut urls = vec![url.clone()];
        if let Some((issued, authority)) = &options.tls {
            write("cert.pem", &issued.certificate)?;
            write("key.pem", &issued.key)?;
            write("ca.pem", authority)?;
            let port = free_port().map_err(Error::system(NAME, "find a free port"))?;
            urls.push(format!("ldaps://127.0.0.1:{port}"));
        }
        let command = ["sh", "-c", START, "sh", &urls.join(" ")].map(OsString::from).into();
        let process = Process::start(Spec { name: NAME.to_owned(), command, env: Vec::new(), stop: "INT" }, folder)?;
        let probe = async |_: &str| tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop);
        process.ready(Duration::from_secs(60), probe).await?;
        Ok(Self { process, url, secure_url: urls.into_iter().nth(1) })
    }

    /// `ldap://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `ldaps://127.0.0.1:PORT`, where it serves with TLS.
    pub fn secure_url(&self) -> Option<&str> {
        self.secure_url.as_deref()
    }

    /// What `ldapsearch` finds below [`BASE`], as LDIF without line breaks inside values.
    pub async fn search(&self, filter: &str, attributes: &[&str]) -> Result<String, Error> {
        let url = self.url.clone();
        let failed = |reason: String| Error::Statement { url: url.clone(), statement: filter.to_owned(), reason };
        let output = Command::new("ldapsearch")
            .args([
                "-x",
                "-LLL",
                "-o",
                "ldif-wrap=no",
                "-H",
                &self.url,
                "-D",
                ADMIN,
                "-w",
                PASSWORD,
                "-b",
                BASE,
                filter,
            ])
            .args(attributes)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn configuration(folder: &Path, options: &Options) -> String {
    let folder = folder.display();
    let tls = match &options.tls {
        Some(_) => format!(
            "TLSCACertificateFile {folder}/ca.pem\n\
             TLSCertificateFile {folder}/cert.pem\n\
             TLSCertificateKeyFile {folder}/key.pem\n\
             TLSVerifyClient try\n"
        ),
        None => String::new(),
    };
    let overlays = if options.plain { "" } else { "overlay memberof\noverlay syncprov" };
    let schemas = ["core", "cosine", "inetorgperson", "nis"];
    let includes: String = schemas.iter().map(|name| format!("include /etc/ldap/schema/{name}.schema\n")).collect();
    format!(
        "{includes}\
         pidfile {folder}/pid\n\
         argsfile {folder}/args\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         moduleload syncprov\n\
         moduleload memberof\n\
         sizelimit unlimited\n\
         {tls}\
         {}\n\
         threads 4\n\
         database mdb\n\
         maxsize 1073741824\n\
         suffix \"{BASE}\"\n\
         rootdn \"{ADMIN}\"\n\
         rootpw {PASSWORD}\n\
         directory {folder}/data\n\
         envflags writemap nometasync nosync\n\
         dbnosync\n\
         index objectClass,entryUUID,entryCSN eq\n\
         index uid,cn,mail eq,sub\n\
         index member eq\n\
         access to * by users read by anonymous auth\n\
         {}\n\
         {overlays}\n\
         {}\n",
        options.global.join("\n"),
        options.settings.join("\n"),
        options.sync.join("\n")
    )
}

fn base() -> String {
    format!(
        "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups\n"
    )
}
