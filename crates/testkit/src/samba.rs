//! A throwaway Active Directory: Debian's Samba as the only domain controller of a domain of its own, serving LDAP and
//! nothing else. About ten seconds.
//!
//! Its ports are fixed (389 and 636), so each takes a loopback address of its own; that needs root. TLS by a certificate
//! that [`Samba::authority`] issued, for that address and for 127.0.0.1 and localhost, where proxies are. Passwords are also
//! taken without TLS, as old domains do.
//!
//! What was found by asking it: the aggregate schema names no matching rules; `unicodePwd` is refused without TLS; deleted
//! objects are shown to administrators by the control; a page has at most 1,000 entries.

use std::{
    ffi::OsString,
    fs,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    time::Duration,
};

use crate::{
    Error, Workdir,
    authority::Authority,
    process::{Process, Spec},
};

const NAME: &str = "samba";
const PROGRAM: &str = "/usr/sbin/samba";
pub const BASE: &str = "DC=ad,DC=example,DC=org";
pub const USERS: &str = "OU=staff,DC=ad,DC=example,DC=org";
pub const GROUPS: &str = "OU=teams,DC=ad,DC=example,DC=org";
/// Signs in by its principal name, as everybody may.
pub const ADMIN: &str = "Administrator@ad.example.org";
pub const PASSWORD: &str = "Passw0rd-of-samba";

/// Arguments: the address. In one process, so that whoever stops the server stops the provisioning, too.
const START: &str = r#"
address=$1 password=$2
samba-tool domain provision --quiet --targetdir="$PWD" --realm=AD.EXAMPLE.ORG --domain=ADX --host-name=dc1 \
    --host-ip=127.0.0.1 --server-role=dc --dns-backend=NONE --adminpass="$password" >provision.log 2>&1 || {
    cat provision.log
    exit 1
}
samba-tool ou create OU=staff -H private/sam.ldb >>provision.log 2>&1 || exit 1
samba-tool ou create OU=teams -H private/sam.ldb >>provision.log 2>&1 || exit 1
{
    echo "[global]"
    echo "interfaces = $address/8"
    echo "bind interfaces only = yes"
    echo "server services = ldap"
    echo "ldap server require strong auth = no"
    echo "tls enabled = yes"
    echo "tls certfile = $PWD/tls/cert.pem"
    echo "tls keyfile = $PWD/tls/key.pem"
    echo "tls cafile = $PWD/tls/ca.pem"
    echo "log file = $PWD/log.%m"
    echo "pid directory = $PWD"
    grep -v -e '^\[global\]' -e 'interfaces' -e 'server services' -e 'log file' etc/smb.conf
} >smb.conf
exec samba -i -M single -s "$PWD/smb.conf" --debug-stdout -d 1
"#;

/// A running domain controller; stopped, its folder gone, on drop.
pub struct Samba {
    process: Process,
    address: String,
    authority: Authority,
}

impl Samba {
    pub async fn start() -> Result<Self, Error> {
        if !Path::new(PROGRAM).exists() {
            return Err(Error::Missing { what: "Samba AD", looked: PROGRAM.to_owned() });
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_start().await {
                Err(Error::Died { .. }) if tries < 3 => {}
                result => return result,
            }
        }
    }

    async fn try_start() -> Result<Self, Error> {
        let address = address();
        let folder = Workdir::new(NAME)?;
        let authority = Authority::new()?;
        let issued = authority.issue("dc1.ad.example.org", &[&address, "127.0.0.1", "localhost"])?;
        let tls = folder.path().join("tls");
        let write = |name: &str, text: &str| fs::write(tls.join(name), text).and_then(|()| private(&tls.join(name)));
        fs::create_dir(&tls)
            .and_then(|()| write("cert.pem", &issued.certificate))
            .and_then(|()| write("key.pem", &issued.key))
            .and_then(|()| write("ca.pem", authority.pem()))
            .map_err(Error::system(NAME, "write its certificate"))?;
        let command = ["sh", "-c", START, "sh", &address, PASSWORD].map(OsString::from).into();
        let process = Process::start(Spec { name: NAME.to_owned(), command, env: Vec::new(), stop: "TERM" }, folder)?;
        let probe = async |_: &str| {
            let plain = tokio::net::TcpStream::connect((address.as_str(), 389)).await;
            plain.and(tokio::net::TcpStream::connect((address.as_str(), 636)).await).ok().map(drop)
        };
        process.ready(Duration::from_secs(120), probe).await?;
        Ok(Self { process, address, authority })
    }

    /// `ldap://127.X.Y.Z:389`.
    pub fn url(&self) -> String {
        format!("ldap://{}:389", self.address)
    }

    /// `ldaps://127.X.Y.Z:636`.
    pub fn secure_url(&self) -> String {
        format!("ldaps://{}:636", self.address)
    }

    /// Who issued its certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What the server has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Samba takes no key that others may read.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// A loopback address that hardly anybody has.
fn address() -> String {
    let random = RandomState::new().hash_one("address").to_le_bytes();
    format!("127.{}.{}.{}", 1 + random[0] % 254, random[1], 1 + random[2] % 254)
}
