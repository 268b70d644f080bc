//! The address of a target, parsed once; a request then adds its path.
//!
//! Also the rule for redirects (RFC 9110 section 15.4): where a request with its token may go.

use hyper::Uri;
use hyper::body::Bytes;
use hyper::http::uri::{Authority, InvalidUri, PathAndQuery, Scheme};

use super::pool::Origin;

/// `https://host[:port][/path][?query]`. The query, if there is one, goes with every request.
#[derive(Debug, Clone)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end; empty for the root.
    path: String,
    /// There was a slash at its end: it belongs to the address where nothing follows, as that of a token endpoint.
    slash: bool,
    query: Option<String>,
}

impl BaseUrl {
    /// Reads the setting. The error says what is wrong with it, without repeating it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.trim().parse().map_err(|_| "is no URL")?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err("needs a scheme and a host, as in `https://example.org/scim/v2`");
        };
        if scheme != Scheme::HTTPS && scheme != Scheme::HTTP {
            return Err("has to start with `https://`");
        }
        if authority.as_str().contains('@') {
            return Err("holds a user name or password; these belong into `token` or `basic`, as secrets");
        }
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::path);
        let (path, slash) = (path.trim_end_matches('/').to_owned(), path.ends_with('/'));
        let query = parts.path_and_query.as_ref().and_then(|all| all.query()).filter(|query| !query.is_empty());
        Ok(Self { scheme, authority, path, slash, query: query.map(str::to_owned) })
    }

    /// Whether requests travel unencrypted.
    pub fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Whether the host is this machine, where nobody listens on the way.
    pub fn is_loopback(&self) -> bool {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Host and port, for the `Host` header and for messages.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The path in front of every request's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the target listens.
    pub fn origin(&self) -> Origin {
        Origin { scheme: self.scheme.clone(), authority: self.authority.clone() }
    }

    /// What is asked for at the target. `path` starts with a slash, or is empty for the address itself, and is encoded
    /// already, its query included.
    pub fn join(&self, path: &str) -> Result<PathAndQuery, InvalidUri> {
        let mut text =
            String::with_capacity(self.path.len() + path.len() + self.query.as_ref().map_or(0, |q| q.len() + 1));
        text.push_str(&self.path);
        if self.slash && !path.starts_with('/') {
            text.push('/');
        }
        text.push_str(path);
        if let Some(query) = &self.query {
            text.push(if path.contains('?') { '&' } else { '?' });
            text.push_str(query);
        }
        PathAndQuery::from_maybe_shared(Bytes::from(text))
    }

    /// The path below the base of an address that the target gives of itself, which may be whole, a path from the host's
    /// root, or one from the base: `/Users`.
    pub fn below(&self, address: &str) -> String {
        let path = match address.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => address,
        };
        let path = format!("/{}", path.trim_matches('/'));
        let below = path.strip_prefix(&self.path).filter(|below| below.starts_with('/'));
        below.map_or_else(|| path.clone(), str::to_owned)
    }

    /// Where a redirect from `from` leads, if a request with its credentials may follow: over https, to the same host, and
    /// from https also to the same port.
    pub fn redirect(from: &Uri, location: &str) -> Option<Uri> {
        let to = resolve(from, location).ok()?;
        let same_host = from.host()?.eq_ignore_ascii_case(to.host()?);
        let has_user = to.authority()?.as_str().contains('@');
        let same_port = from.scheme() != Some(&Scheme::HTTPS) || port(from) == port(&to);
        (to.scheme() == Some(&Scheme::HTTPS) && same_host && same_port && !has_user).then_some(to)
    }
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 })
}

/// An absolute address, or a path on the same host. Paths without a leading slash are rare enough to be left alone.
fn resolve(from: &Uri, location: &str) -> Result<Uri, InvalidUri> {
    if location.starts_with('/') && !location.starts_with("//") {
        let scheme = from.scheme_str().unwrap_or("https");
        let authority = from.authority().map_or("", |authority| authority.as_str());
        return format!("{scheme}://{authority}{location}").parse();
    }
    location.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_base_path_and_query() {
        for (base, path, want) in [
            ("https://a.example", "/Users", "https://a.example/Users"),
            ("https://a.example/scim/v2/", "/Users/1", "https://a.example/scim/v2/Users/1"),
            ("https://a.example:8443/scim?tenant=7", "/Users", "https://a.example:8443/scim/Users?tenant=7"),
            ("https://a.example/oauth/token/", "", "https://a.example/oauth/token/"),
            ("https://a.example/oauth/token", "", "https://a.example/oauth/token"),
            ("https://a.example/oauth/token/?tenant=7", "", "https://a.example/oauth/token/?tenant=7"),
            ("https://a.example/scim?tenant=7", "/Users?count=0", "https://a.example/scim/Users?count=0&tenant=7"),
        ] {
            let base = BaseUrl::parse(base).unwrap();
            assert_eq!(base.origin().address(base.join(path).unwrap()).to_string(), want);
        }
        assert!(BaseUrl::parse("https://a.example").unwrap().join("/a b").is_err());
    }

    #[test]
    fn finds_what_is_below_the_base() {
        for (base, address) in [
            ("https://a.example/scim/v2", "/Users"),
            ("https://a.example/scim/v2", "Users/"),
            ("https://a.example/scim/v2/", "/scim/v2/Users"),
            ("https://a.example/scim/v2", "https://a.example/scim/v2/Users"),
            ("https://a.example:443/scim/v2", "http://inside.example:8080/scim/v2/Users/"),
            ("https://a.example", "https://a.example/Users"),
            ("https://a.example/Us", "/Users"),
        ] {
            assert_eq!(BaseUrl::parse(base).unwrap().below(address), "/Users", "{base} {address}");
        }
    }

    #[test]
    fn refuses_what_is_no_base() {
        for text in ["", "a.example", "/scim", "ftp://a.example", "https://ada:secret@a.example", "https://"] {
            let problem = BaseUrl::parse(text).unwrap_err();
            assert!(!problem.contains("secret:") && !problem.contains("ada"), "{problem}");
        }
    }

    #[test]
    fn redirects_stay_on_the_host_and_encrypted() {
        for (from, location, want) in [
            ("https://a.example/x", "https://a.example/y", Some("https://a.example/y")),
            ("https://a.example/x", "https://A.example:443/y", Some("https://A.example:443/y")),
            ("https://a.example/x", "/y?z=1", Some("https://a.example/y?z=1")),
            ("http://a.example/x", "https://a.example/x", Some("https://a.example/x")),
            ("https://a.example/x", "http://a.example/x", None),
            ("http://a.example/x", "/y", None),
            ("https://a.example/x", "https://b.example/x", None),
            ("https://a.example/x", "//b.example/x", None),
            ("https://a.example/x", "https://a.example:8443/x", None),
            ("https://a.example/x", "https://a.example@b.example/x", None),
            ("https://a.example/x", "https://u@a.example/x", None),
        ] {
            let found = BaseUrl::redirect(&from.parse().unwrap(), location).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), want, "{from} -> {location}");
        }
    }

    #[test]
    fn knows_this_machine() {
        for (url, want) in [
            ("http://127.0.0.1:80", true),
            ("http://localhost", true),
            ("http://[::1]:9", true),
            ("http://example.org", false),
            ("http://127.0.0.1.example.org", false),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_loopback(), want, "{url}");
        }
    }
}
