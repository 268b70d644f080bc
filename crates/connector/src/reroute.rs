//! Another way to the same peer: how the conformance kit puts a proxy between a connector and what it connects to.

use std::net::SocketAddr;

use serde_json::Value as Json;

use crate::Settings;

/// Settings that lead somewhere else, and where those before them led.
#[derive(Debug, Clone)]
pub struct Rerouted {
    /// Host and port of the peer.
    pub peer: (String, u16),
    pub settings: Settings,
}

impl Settings {
    /// The setting `key`, a URL, with another address in place of its own. None when it is no such URL, or names no port and
    /// its scheme has none in `ports`.
    pub fn rerouted(&self, key: &str, ports: &[(&str, u16)], to: SocketAddr) -> Option<Rerouted> {
        let url = self.values.get(key)?.as_str()?;
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (name, port) = match host.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((name, port)) => (name, port.parse().ok()?),
            None => (host, ports.iter().find(|(known, _)| *known == scheme)?.1),
        };
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        // The name stays where it is a loopback name anyway: certificates are made out to it.
        let host = if name == "localhost" { format!("localhost:{}", to.port()) } else { to.to_string() };
        let mut settings = self.clone();
        settings.values.insert(key.to_owned(), Json::String(format!("{scheme}://{user}{host}{path}")));
        Some(Rerouted { peer: (name.trim_matches(['[', ']']).to_owned(), port), settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rerouted(url: &str) -> Option<((String, u16), String)> {
        let values = [("url".to_owned(), Json::String(url.to_owned()))].into_iter().collect();
        let to = SocketAddr::from(([127, 0, 0, 1], 4444));
        let rerouted = Settings::new(values, ".").rerouted("url", &[("ldap", 389)], to)?;
        Some((rerouted.peer, rerouted.settings.values["url"].as_str()?.to_owned()))
    }

    #[test]
    fn only_the_address_changes() {
        let cases = [
            ("ldap://dir.example", ("dir.example", 389), "ldap://127.0.0.1:4444"),
            ("ldap://localhost:3890", ("localhost", 3890), "ldap://localhost:4444"),
            ("http://[::1]:80/scim/v2?a=b@c", ("::1", 80), "http://127.0.0.1:4444/scim/v2?a=b@c"),
            ("postgres://me@db:5432/hr", ("db", 5432), "postgres://me@127.0.0.1:4444/hr"),
        ];
        for (url, (host, port), other) in cases {
            assert_eq!(rerouted(url), Some(((host.to_owned(), port), other.to_owned())), "{url}");
        }
        assert_eq!(rerouted("no url"), None);
        assert_eq!(rerouted("http://no.port/"), None);
    }
}
