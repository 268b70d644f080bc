//! The settings of a connection. Only `url` and `base` are needed where people are `inetOrgPerson` and groups are
//! `groupOfNames` (or what an Active Directory has instead).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use provost_connector::{SettingProblem, Settings};
use provost_model::{ClassName, Text};
use serde::Deserialize;
use serde_json::Value as Json;

use super::address;
use super::template::{Template, normal};
use crate::setting::{self, Certificate, SecretHandle, problem, span};

const TIMEOUT: Duration = Duration::from_secs(30);
const IN_FLIGHT: usize = 8;
/// Entries of a page; most servers allow 1,000 at most (Active Directory's MaxPageSize).
const PAGE: i32 = 1_000;

/// As written under the connection's name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: address::OneOrMany,
    base: Text,
    #[serde(default)]
    profile: Choice,
    #[serde(default, deserialize_with = "setting::secret")]
    bind: Option<Bind>,
    #[serde(default)]
    start_tls: bool,
    #[serde(default)]
    ca: Option<PathBuf>,
    #[serde(default, deserialize_with = "setting::secret")]
    client_certificate: Option<Certificate>,
    #[serde(default)]
    allow_plain: bool,
    #[serde(default)]
    timeout: Json,
    #[serde(default)]
    max_in_flight: Option<usize>,
    #[serde(default)]
    page_size: Option<i32>,
    #[serde(default)]
    classes: BTreeMap<ClassName, RawClass>,
}

/// Who signs in by name and password.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bind {
    pub dn: Text,
    pub password: SecretHandle,
}

/// The setting `profile`: what kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Choice {
    /// The server's root entry tells.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "openldap")]
    OpenLdap,
    #[serde(rename = "389ds")]
    Ds389,
    #[serde(rename = "ad")]
    Ad,
}

/// How deep below its base a class is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    One,
    #[default]
    Subtree,
}

impl From<Depth> for ldap3::Scope {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::One => ldap3::Scope::OneLevel,
            Depth::Subtree => ldap3::Scope::Subtree,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawClass {
    base: Option<Text>,
    filter: Option<Text>,
    scope: Depth,
    object_classes: Option<Vec<Text>>,
    id: Option<Text>,
    dn: Option<Text>,
    attributes: Option<Vec<Text>>,
    references: BTreeMap<Text, Pointed>,
    enabled: Option<Switch>,
    placeholder: Option<Text>,
}

/// What an attribute points at by a value: `{class: person, attribute: uid}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointed {
    pub class: ClassName,
    pub attribute: Text,
}

/// The attribute that switches an account on and off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    pub attribute: Text,
    /// The value of an account that is on. Without one, and without `off`, it is a bit of a number.
    #[serde(default)]
    pub on: Option<Text>,
    /// Without `on`, every other value, and none, is an account that is on.
    #[serde(default)]
    pub off: Option<Text>,
    /// The bit that an account has that is off: 2 in `userAccountControl`.
    #[serde(default)]
    pub bit: Option<i64>,
}

/// How the client makes itself known.
#[derive(Debug, Clone)]
pub enum Identity {
    Anonymous,
    Simple(Bind),
    /// SASL EXTERNAL by the certificate of the TLS connection.
    Certificate(Certificate),
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// In the order in which they are tried, each with host and port for messages.
    pub servers: Vec<address::Server>,
    pub base: Text,
    /// All of them, for messages.
    pub server: Text,
    pub profile: Choice,
    pub identity: Identity,
    pub start_tls: bool,
    pub ca: Option<PathBuf>,
    pub timeout: Duration,
    pub max_in_flight: usize,
    pub page_size: i32,
    pub classes: Vec<Class>,
    /// The settings name them.
    pub named: bool,
}

impl Config {
    /// People and groups as an Active Directory has them.
    pub fn usual_of_ad(&self) -> Vec<Class> {
        let raw = |kind: &str| RawClass { object_classes: Some(vec![kind.into()]), ..RawClass::default() };
        let usual = [("group", raw("group")), ("person", raw("user"))];
        usual.into_iter().filter_map(|(name, raw)| class(name.into(), raw, &self.base).ok()).collect()
    }

    /// Whether all that is sent is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.start_tls || self.servers.iter().all(|server| server.encrypted)
    }
}

/// What objects of a class are.
#[derive(Debug, Clone)]
pub struct Class {
    pub name: ClassName,
    pub base: Text,
    /// An LDAP filter (RFC 4515) that all entries of the class satisfy, and no others below the base.
    pub filter: Text,
    /// The filter asks for the first of the object classes, and no more than that.
    pub is_by_class: bool,
    pub scope: Depth,
    /// What a new entry is made of.
    pub object_classes: Vec<Text>,
    pub dn: Template,
    /// The attribute that is the id, or `dn`; none for the best that the server has.
    pub id: Option<Text>,
    /// The only attributes that are read and written.
    pub attributes: Option<Vec<Text>>,
    pub references: BTreeMap<Text, Pointed>,
    pub enabled: Option<Switch>,
    /// A member that stands for nobody, where the schema does not allow a group without members.
    pub placeholder: Text,
    /// The same in the form that names are compared in.
    pub nobody: String,
}

impl Config {
    /// Reads and checks everything that can be checked without going online; all problems at once.
    pub fn read(settings: &Settings) -> Result<Self, Vec<SettingProblem>> {
        let raw: Raw = settings.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let servers = address::servers(&raw.url).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let goes_out_plain = servers.iter().any(|server| !server.encrypted && !server.is_here()) && !raw.start_tls;
        if goes_out_plain && !raw.allow_plain && (raw.bind.is_some() || raw.client_certificate.is_some()) {
            problems.push(problem(
                "url",
                "the connection is not encrypted: passwords and people's data would be readable on the way",
                "use `ldaps://`, or `start_tls: true`, or set `allow_plain: true` where the network is trusted",
            ));
        }
        if servers.iter().any(|server| server.encrypted) && raw.start_tls {
            problems.push(problem("start_tls", "`ldaps://` is encrypted from the beginning", "leave `start_tls` out"));
        }
        if raw.bind.is_some() && raw.client_certificate.is_some() {
            let hint = "keep the one that the server expects";
            problems.push(problem("bind", "`bind` and `client_certificate` both tell who signs in", hint));
        }
        if raw.bind.as_ref().is_some_and(|bind| bind.dn.is_empty()) {
            let hint = "name the entry that signs in, or leave `bind` out to stay anonymous";
            problems.push(problem("bind.dn", "`bind.dn` is empty, which the server takes for anonymous", hint));
        }
        let ca = raw.ca.map(|path| settings.path(path));
        if let Some(path) = ca.as_ref().filter(|path| !path.is_file()) {
            problems.push(problem("ca", format!("there is no file {}", path.display()), "give the path of a PEM file"));
        }
        let certificate = raw.client_certificate.map(|one| Certificate { cert: settings.path(one.cert), ..one });
        let timeout = span(&raw.timeout);
        if let Err(problem) = &timeout {
            problems.push(problem.clone());
        }
        if raw.max_in_flight == Some(0) {
            problems.push(problem("max_in_flight", "`max_in_flight` has to be at least 1", "leave it out for 8"));
        }
        if raw.page_size.is_some_and(|size| size < 1) {
            problems.push(problem("page_size", "`page_size` has to be at least 1", "leave it out for 1000"));
        }
        let named = !raw.classes.is_empty();
        let given = if named { raw.classes } else { usual() };
        let mut classes = Vec::with_capacity(given.len());
        for (name, raw_class) in given {
            match class(name, raw_class, &raw.base) {
                Ok(class) => classes.push(class),
                Err(problem) => problems.push(problem),
            }
        }
        let (Ok(timeout), true) = (timeout, problems.is_empty()) else { return Err(problems) };
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        Ok(Self {
            server: names.join(", ").into(),
            servers,
            base: raw.base,
            profile: raw.profile,
            identity: match (raw.bind, certificate) {
                (Some(bind), _) => Identity::Simple(bind),
                (None, Some(certificate)) => Identity::Certificate(certificate),
                (None, None) => Identity::Anonymous,
            },
            start_tls: raw.start_tls,
            ca,
            timeout: timeout.unwrap_or(TIMEOUT),
            max_in_flight: raw.max_in_flight.unwrap_or(IN_FLIGHT),
            page_size: raw.page_size.unwrap_or(PAGE),
            classes,
            named,
        })
    }
}

impl Switch {
    fn checked(self, at: &str) -> Result<Self, SettingProblem> {
        let hint = "give `on` and `off`; `off` alone where an account without the value is on; or `bit`";
        match (&self.on, &self.off, self.bit) {
            (_, Some(_), None) => Ok(self),
            (None, None, Some(bit)) if bit > 0 && bit.count_ones() == 1 => Ok(self),
            _ => Err(problem(at, "`enabled` does not tell how an account is switched off", hint)),
        }
    }
}

/// People and groups as most directories have them.
fn usual() -> BTreeMap<ClassName, RawClass> {
    let class = |kind: &str| RawClass { object_classes: Some(vec![kind.into()]), ..RawClass::default() };
    BTreeMap::from([("group".into(), class("groupOfNames")), ("person".into(), class("inetOrgPerson"))])
}

fn class(name: ClassName, raw: RawClass, base: &Text) -> Result<Class, SettingProblem> {
    let at = |key: &str| format!("classes.{name}.{key}");
    let Some(object_classes) = raw.object_classes.filter(|classes| !classes.is_empty()) else {
        let hint = "list what an entry of it is, such as `[inetOrgPerson]`";
        return Err(problem(at("object_classes"), format!("the class `{name}` has no `object_classes`"), hint));
    };
    let is_word = |text: &Text| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    if let Some(odd) = object_classes.iter().find(|class| !is_word(class) || class.is_empty()) {
        let hint = "give names as the server's schema has them";
        return Err(problem(at("object_classes"), format!("`{odd}` is no name of an object class"), hint));
    }
    let is_by_class = raw.filter.is_none();
    let filter = match raw.filter {
        Some(filter) if ldap3::parse_filter(&filter).is_ok() => filter,
        Some(filter) => {
            let hint = "write it as RFC 4515 has it, such as `(&(objectClass=person)(employeeType=staff))`";
            return Err(problem(at("filter"), format!("`{filter}` is no LDAP filter"), hint));
        }
        // Computers of an Active Directory are users, too.
        None if object_classes[0].eq_ignore_ascii_case("user") => {
            "(&(objectClass=user)(!(objectClass=computer)))".into()
        }
        None => format!("(objectClass={})", object_classes[0]).into(),
    };
    let below = raw.base.unwrap_or_else(|| base.clone());
    let enabled = raw.enabled.map(|switch| switch.checked(&at("enabled"))).transpose()?;
    let pointed = raw.references.iter().flat_map(|(name, to)| [name, &to.attribute]);
    let names = raw.attributes.iter().flatten().chain(&raw.id).chain(pointed);
    if let Some(odd) = names.into_iter().find(|name| !is_word(name) || name.is_empty()) {
        let hint = "give the names of attributes as the server's schema has them";
        return Err(problem(at("attributes"), format!("`{odd}` is no name of an attribute"), hint));
    }
    let is_group = object_classes.iter().any(|class| class.to_ascii_lowercase().starts_with("group"));
    let template = raw.dn.unwrap_or_else(|| {
        let attribute = if is_group || object_classes.iter().any(|class| class.eq_ignore_ascii_case("user")) {
            "cn"
        } else {
            "uid"
        };
        format!("{attribute}={{{attribute}}},{below}").into()
    });
    let dn = Template::parse(&template).map_err(|why| {
        let hint =
            "write it as `uid={uid},ou=people,dc=example,dc=org`; what is in braces is an attribute of the entry";
        problem(at("dn"), format!("`{template}` {why}"), hint)
    })?;
    let placeholder = raw.placeholder.unwrap_or_else(|| "cn=nobody".into());
    Ok(Class {
        name,
        base: below,
        filter,
        is_by_class,
        scope: raw.scope,
        object_classes,
        id: raw.id,
        dn,
        attributes: raw.attributes,
        references: raw.references,
        enabled,
        nobody: normal(&placeholder),
        placeholder,
    })
}
