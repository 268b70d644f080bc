//! What stands in the address of a request, judged as the client wrote it: the service behind reads filters leniently, so
//! that a client that passes here would fail elsewhere.

use percent_encoding::percent_decode_str;
use provost_model::Filter;

/// Attributes that tell something of a person.
const PERSONAL: [&str; 10] = [
    "username",
    "name",
    "displayname",
    "nickname",
    "emails",
    "phonenumbers",
    "ims",
    "addresses",
    "externalid",
    "employeenumber",
];

/// What else a secret is called in addresses.
const SECRETS: [&str; 4] = ["password", "passwd", "client_secret", "access_token"];

/// A parameter of a query, decoded; names have any case.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

/// What is wrong with the texts of a filter, which are JSON strings (RFC 7644 section 3.4.2.2). `known` says whether a text
/// with a backslash is a value that the client has sent: then the backslash belongs to the value, and was not escaped.
pub(crate) fn misquoted(filter: &str, known: impl Fn(&str) -> bool) -> Option<&'static str> {
    let mut rest = filter;
    while let Some(at) = rest.find('"') {
        let text = &rest[at + 1..];
        let end = match text_end(text) {
            Ok(end) => end,
            Err(wrong) => return Some(wrong),
        };
        if text[..end].contains('\\') && known(&text[..end]) {
            return Some("a backslash that is not escaped");
        }
        rest = &text[end + 1..];
        if !rest.is_empty() && !rest.starts_with([' ', ')', ']']) {
            return Some("a quote that is not escaped");
        }
    }
    None
}

/// Where the closing quote is; the error says why there is none.
fn text_end(text: &str) -> Result<usize, &'static str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return Ok(at),
            b'\\' => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                Some(b'u') if bytes.get(at + 2..at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 6,
                _ => return Err("a backslash that is not escaped"),
            },
            0..0x20 => return Err("a control character that is not escaped"),
            _ => 1,
        };
    }
    Err("a text without its end")
}

/// The attributes that a filter names, in lower case.
fn attributes(filter: &str) -> Vec<String> {
    fn walk(filter: &Filter, found: &mut Vec<String>) {
        match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| walk(part, found)),
            Filter::Not(inner) => walk(inner, found),
            Filter::Each { path, .. } => found.push(path.name.to_lowercase().to_string()),
            Filter::Term(term) => found.push(term.path.name.to_lowercase().to_string()),
        }
    }
    let mut found = Vec::new();
    if let Ok(filter) = filter.parse::<Filter>() {
        walk(&filter, &mut found);
    }
    found
}

/// The attribute of a person that an address tells, if any; names of groups are nobody's.
pub(crate) fn personal(path: &str, query: &str) -> Option<String> {
    if !path.is_empty() && path != "/" && !path.starts_with("/Users") {
        return None;
    }
    let filter = parameter(query, "filter")?;
    attributes(&filter).into_iter().find(|name| PERSONAL.contains(&name.as_str()))
}

/// What a query or a filter, also one in a body, has no business to hold: a password or another secret.
pub(crate) fn secret(query: &str, filter: Option<&str>) -> Option<String> {
    let keys = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(key, _)| key).to_lowercase());
    let named = keys.filter(|key| SECRETS.contains(&key.as_str())).map(|key| format!("parameter {key}")).next();
    let asked = parameter(query, "filter");
    let mut filters = asked.as_deref().into_iter().chain(filter);
    named.or_else(|| {
        let has = |text: &str| attributes(text).iter().any(|name| name == "password");
        filters.any(has).then(|| "a filter on password".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_filters_are_json() {
        let known = |text: &str| text == r"corp\bob";
        for (filter, good) in [
            (r#"userName eq "ada""#, true),
            (r#"(userName eq "a\"b\\c\u00e4") and emails[type eq "work"]"#, true),
            (r#"userName eq "corp\\bob""#, true),
            (r#"userName eq "new\nline""#, true),
            (r#"userName eq "a"b""#, false),
            (r#"userName eq "a\d""#, false),
            (r#"userName eq "a\u12""#, false),
            (r#"userName eq "corp\bob""#, false),
            (r#"userName eq "R"#, false),
            ("userName eq \"a\nb\"", false),
        ] {
            assert_eq!(misquoted(filter, known).is_none(), good, "{filter}");
        }
    }

    #[test]
    fn what_addresses_tell() {
        let personal = |path, query| personal(path, query).is_some();
        assert!(personal("/Users", "filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22a%22"));
        assert!(personal("/Users", "count=1&filter=name.familyName%20eq%20%22a%22"));
        assert!(!personal("/Groups", "filter=displayName+eq+%22a%22"));
        assert!(!personal("/Users", "filter=meta.lastModified+gt+%222020-01-01T00:00:00Z%22"));
        assert_eq!(secret("Password=x", None), Some("parameter password".into()));
        assert!(secret("filter=password+eq+%22x%22", None).is_some());
        assert!(secret("", Some("userName eq \"a\" and password eq \"x\"")).is_some());
        assert_eq!(secret("filter=userName+eq+%22password%22", None), None);
    }
}
