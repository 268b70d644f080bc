//! Where the servers are: `ldap://host`, `ldaps://host:636`, or a list of them that hold the same.

use provost_connector::SettingProblem;
use provost_model::Text;
use serde::Deserialize;

use crate::setting::problem;

/// One address, or several of servers with the same content, in the order in which they are tried.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub url: Text,
    /// Host and port, for messages.
    pub name: Text,
    /// From the first byte on.
    pub encrypted: bool,
}

impl Server {
    /// Whether it is on this machine, where nobody listens on the way.
    pub fn is_here(&self) -> bool {
        ["127.", "localhost:", "[::1]:"].iter().any(|here| self.name.starts_with(here))
    }
}

pub fn servers(given: &OneOrMany) -> Result<Vec<Server>, SettingProblem> {
    let urls = match given {
        OneOrMany::One(url) => std::slice::from_ref(url),
        OneOrMany::Many(urls) => urls,
    };
    let hint = "write it as `ldaps://host` or `ldap://host:389`";
    if urls.is_empty() {
        return Err(problem("url", "`url` names no server", hint));
    }
    let server = |url: &Text| {
        let name = address(url).ok_or_else(|| problem("url", told(url), hint))?;
        Ok(Server { url: url.clone(), name, encrypted: url.starts_with("ldaps://") })
    };
    urls.iter().map(server).collect()
}

/// Somebody may have written a password into it.
fn told(url: &str) -> String {
    match url.contains('@') {
        true => "`url` names a user, which belongs into `bind`".to_owned(),
        false => format!("`url` is no LDAP address: `{url}`"),
    }
}

/// Host and port of an LDAP address.
fn address(url: &str) -> Option<Text> {
    let (host, port) = match url.split_once("://")? {
        ("ldap", host) => (host, 389),
        ("ldaps", host) => (host, 636),
        _ => return None,
    };
    let host = host.trim_end_matches('/');
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || ".-_[]:".contains(letter);
    if name.is_empty() || !name.chars().all(is_host) {
        return None;
    }
    Some(if name.len() == host.len() { format!("{host}:{port}").into() } else { host.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("ldap://dir.example", Some("dir.example:389")),
            ("ldaps://dir.example/", Some("dir.example:636")),
            ("ldap://[::1]:3890", Some("[::1]:3890")),
            ("http://dir.example", None),
            ("ldap://", None),
            ("ldap://me:secret@dir.example", None),
        ];
        for (url, wanted) in cases {
            assert_eq!(address(url).as_deref(), wanted, "{url}");
        }
    }
}
