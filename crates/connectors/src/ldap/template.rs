//! Distinguished names (RFC 4514): how one is made of an entry's values, and how its first part is read.

use std::fmt::Write as _;

use provost_model::Text;

/// `uid={uid},ou=people,dc=example,dc=org`: each `{attribute}` becomes that value, escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Text),
}

impl Template {
    /// The error is the rest of a sentence that begins with the template.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').ok_or("has a brace that is not closed")?;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ';') {
                return Err("has something in braces that is no name of an attribute");
            }
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Value(name.into()));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts };
        let sample = template.fill(|_| Some("x".into())).unwrap_or_default();
        if rdn(&sample).is_none() {
            return Err("is no distinguished name");
        }
        Ok(template)
    }

    /// The name with these values; the error is the attribute that has none.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, Text> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Value(attribute) => {
                    let value = value(attribute).filter(|value| !value.is_empty()).ok_or_else(|| attribute.clone())?;
                    name.push_str(&escape(&value));
                }
            }
        }
        Ok(name)
    }
}

/// A value as it stands in a distinguished name.
pub fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        match letter {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '#' | ' ' if at == 0 => {
                escaped.push('\\');
                escaped.push(letter);
            }
            ' ' if at == last => escaped.push_str("\\ "),
            letter if u32::from(letter) < 0x20 || letter == '\u{7f}' => {
                let _ = write!(escaped, "\\{:02x}", u32::from(letter));
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The first part of a name (`uid=ada`), its attribute (`uid`), and the rest, the parent.
pub fn rdn(name: &str) -> Option<(&str, &str, &str)> {
    let mut escaped = false;
    let end = name.char_indices().find(|(_, letter)| {
        let is_end = *letter == ',' && !escaped;
        escaped = *letter == '\\' && !escaped;
        is_end
    });
    let (first, parent) = match end {
        Some((at, _)) => (&name[..at], name[at + 1..].trim_start()),
        None => (name, ""),
    };
    let (attribute, _) = first.split_once('=')?;
    let attribute = attribute.trim();
    let is_name = !attribute.is_empty() && attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    is_name.then_some((first, attribute, parent))
}

/// A name in the one form that two writings of it share: attributes in lower case, no space around separators, values
/// unescaped and in lower case. Good for comparing names of one server, whose naming attributes ignore case.
pub fn normal(name: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let Some((first, attribute, parent)) = rdn(rest) else { return name.to_lowercase() };
        let value = first.split_once('=').map_or("", |(_, value)| value);
        parts.push(format!("{}={}", attribute.to_lowercase(), escape(&unescape(value).to_lowercase())));
        rest = parent;
    }
    parts.join(",")
}

/// Whether a value in the name has a zero byte, at which some servers take a text to end.
pub fn has_zero(name: &str) -> bool {
    let mut rest = name;
    while let Some((first, _, parent)) = rdn(rest) {
        if first.split_once('=').is_some_and(|(_, value)| unescape(value).contains('\0')) {
            return true;
        }
        rest = parent;
    }
    false
}

/// What an escaped value says; what is no escape stays as it is.
fn unescape(value: &str) -> String {
    // White space around a value says nothing, unless it is escaped.
    let begun = value.trim_start_matches(' ');
    let kept = begun.trim_end_matches(' ');
    // A backslash that is not escaped itself escapes the space behind it.
    let slashes = kept.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let value = if slashes % 2 == 1 && kept.len() < begun.len() { &begun[..=kept.len()] } else { kept };
    let mut bytes = Vec::with_capacity(value.len());
    let raw = value.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'\\' && at + 1 < raw.len() {
            let pair = raw.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
            match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    at += 3;
                }
                None => {
                    bytes.push(raw[at + 1]);
                    at += 2;
                }
            }
        } else {
            bytes.push(raw[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let template = Template::parse("uid={uid},ou={ou},dc=example").unwrap();
        let name = template.fill(|name| Some(if name == "uid" { "#a,b+c ".into() } else { " x\\\"y".into() })).unwrap();
        assert_eq!(name, "uid=\\#a\\,b\\+c\\ ,ou=\\ x\\\\\\\"y,dc=example");
        assert_eq!(rdn(&name), Some(("uid=\\#a\\,b\\+c\\ ", "uid", "ou=\\ x\\\\\\\"y,dc=example")));
        assert_eq!(template.fill(|_| None).unwrap_err(), "uid");
        for wrong in ["uid={uid", "uid={u id},dc=x", "nonsense", ""] {
            Template::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn zero_bytes_in_names_are_seen() {
        let cases =
            [("cn=a\\00b,dc=x", true), ("cn=x,ou=\\00,dc=x", true), ("cn=a\\\\00,dc=x", false), ("cn=a", false)];
        for (name, wanted) in cases {
            assert_eq!(has_zero(name), wanted, "{name}");
        }
    }

    #[test]
    fn two_writings_of_one_name_are_one() {
        let cases = [
            ("UID=Ada, OU=People,dc=Example", "uid=ada,ou=people,dc=example"),
            ("cn=a\\2cb,dc=x", "cn=a\\,b,dc=x"),
            ("cn=\\C3\\A9,dc=x", "cn=é,dc=x"),
            ("cn=end\\20,dc=x", "cn=end\\ ,dc=x"),
            ("cn=Lu\\\\ , dc=x", "cn=Lu\\\\,dc=x"),
            ("cn=a\\\u{a0} ,dc=x", "cn=a\\\u{a0},dc=x"),
        ];
        for (one, other) in cases {
            assert_eq!(normal(one), normal(other), "{one}");
        }
        assert_ne!(normal("cn=a\\,dc=x,dc=y"), normal("cn=a,dc=x,dc=y"));
    }
}
