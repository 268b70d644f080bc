//! `url`: which database, without anything secret in it.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use provost_connector::Settings;

use super::statement::Dialect;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Server { dialect: Dialect, host: String, port: u16, database: Option<String>, user: Option<String> },
    File(PathBuf),
}

impl Address {
    /// What is wrong and what to do, when it is no address.
    pub(super) fn parse(text: &str, settings: &Settings) -> Result<Self, (String, &'static str)> {
        const HINT: &str = "write postgres://host/database, mysql://host/database or sqlite:file.db";
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
                return Err(("`url` names no database file".to_owned(), "write sqlite:people.db"));
            }
            return Ok(Self::File(settings.path(path)));
        }
        let (scheme, rest) = text.split_once("://").ok_or(("`url` has no scheme".to_owned(), HINT))?;
        let (dialect, default_port) = match scheme {
            "postgres" | "postgresql" => (Dialect::Postgres, 5432),
            "mysql" | "mariadb" => (Dialect::MySql, 3306),
            other => return Err((format!("`{other}` is no database that this connector knows"), HINT)),
        };
        if rest.contains(['?', '#']) {
            let hint = "use the settings `tls`, `ca` and `timeout` instead";
            return Err(("`url` takes no parameters".to_owned(), hint));
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if login.is_some_and(|login| login.contains(':')) {
            // The message must not show it.
            let hint = "store the password with `provost secret set NAME`, and write password: { secret: NAME }";
            return Err(("`url` holds a password".to_owned(), hint));
        }
        let (host, port) = split_port(place).ok_or(("`url` has no valid host and port".to_owned(), HINT))?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(Self::Server {
            dialect,
            host: if host.is_empty() { "localhost".to_owned() } else { host.to_owned() },
            port: port.unwrap_or(default_port),
            database: Some(decode(database)).filter(|name| !name.is_empty()),
            user: login.map(decode),
        })
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Server { dialect, .. } => *dialect,
            Self::File(_) => Dialect::Sqlite,
        }
    }

    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Server { host, .. } => {
                host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            Self::File(_) => true,
        }
    }

    /// For messages.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Server { host, port, .. } => format!("{host}:{port}"),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// `host`, `host:1`, `[::1]:1`; the host without brackets.
fn split_port(place: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => port.is_empty().then_some((host, None)),
        };
    }
    match place.split_once(':') {
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((place, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_passwords_refused() {
        let settings = Settings { base: "/etc/provost".into(), ..Settings::default() };
        let server = |dialect, host: &str, port, database: Option<&str>, user: Option<&str>| Address::Server {
            dialect,
            host: host.to_owned(),
            port,
            database: database.map(str::to_owned),
            user: user.map(str::to_owned),
        };
        for (text, expected) in [
            ("postgres://db/hr", server(Dialect::Postgres, "db", 5432, Some("hr"), None)),
            ("postgresql://ada%40x@db:1/h%20r", server(Dialect::Postgres, "db", 1, Some("h r"), Some("ada@x"))),
            ("mysql://[::1]:33/x", server(Dialect::MySql, "::1", 33, Some("x"), None)),
            ("mariadb://db", server(Dialect::MySql, "db", 3306, None, None)),
            ("sqlite:people.db", Address::File("/etc/provost/people.db".into())),
            ("sqlite:///srv/p.db", Address::File("/srv/p.db".into())),
        ] {
            assert_eq!(Address::parse(text, &settings), Ok(expected), "{text}");
        }
        for text in
            ["db/hr", "oracle://db", "postgres://db:x/hr", "sqlite:", "sqlite::memory:", "postgres://db/a?sslmode=off"]
        {
            assert!(Address::parse(text, &settings).is_err(), "{text}");
        }
        let (message, _) = Address::parse("postgres://ada:s3cret@db/hr", &settings).unwrap_err();
        assert!(!message.contains("s3cret"), "{message}");
    }
}
