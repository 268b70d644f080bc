//! Attribute paths and `eq` conditions, as far as provisioning clients send them (RFC 7644 §3.4.2.2 and §3.5.2):
//! `title`, `name.familyName`, `emails[type eq "work"].value`, `urn:…:User:department`, joined by `and`. Nothing else.

use serde_json::{Map, Value};

/// `[urn:]attribute[conditions].sub`
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// An extension's URN; None for core attributes, with or without their URN.
    pub urn: Option<String>,
    /// None when the path is the extension itself.
    pub attribute: Option<String>,
    pub conditions: Vec<Condition>,
    pub sub: Option<String>,
}

/// `path eq value`
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub path: String,
    pub value: Value,
}

/// None when the text is no path.
#[must_use]
pub fn parse(text: &str) -> Option<Path> {
    let text = text.trim();
    let bracket = text.find('[').unwrap_or(text.len());
    let (urn, rest) = match text[..bracket].rfind(':') {
        None => (None, text),
        Some(_) if bracket == text.len() && is_schema(text) => (Some(text.to_owned()), ""),
        Some(colon) => (Some(text[..colon].to_owned()), &text[colon + 1..]),
    };
    let urn = urn.filter(|u| !u.to_ascii_lowercase().contains(":schemas:core:"));
    let (head, conditions, tail) = match rest.find('[') {
        None => {
            let (head, tail) = rest.split_once('.').map_or((rest, None), |(h, t)| (h, Some(t)));
            (head, Vec::new(), tail)
        }
        Some(open) => {
            let close = rest.rfind(']')?;
            let tail = rest[close + 1..].strip_prefix('.');
            (&rest[..open], conditions(rest.get(open + 1..close)?)?, tail)
        }
    };
    if head.is_empty() && urn.is_none() {
        return None;
    }
    let attribute = (!head.is_empty()).then(|| head.to_owned());
    Some(Path { urn, attribute, conditions, sub: tail.map(str::to_owned) })
}

/// A schema's URN as such ends in a version and a resource type, an attribute's in one more name.
fn is_schema(urn: &str) -> bool {
    let mut parts = urn.rsplit(':');
    parts.next();
    parts.next().is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// `a eq "x" and b eq true`. None for anything else.
#[must_use]
pub fn conditions(text: &str) -> Option<Vec<Condition>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        // The operator stands after the path, whose own brackets may hold another "eq".
        let mut depth = 0_usize;
        let space = rest.char_indices().find_map(|(i, c)| match c {
            '[' => {
                depth += 1;
                None
            }
            ']' => {
                depth = depth.saturating_sub(1);
                None
            }
            ' ' if depth == 0 => Some(i),
            _ => None,
        })?;
        let (path, after) = rest.split_at(space);
        let after = after.trim_start();
        let operator = after.get(..3)?;
        if !operator.eq_ignore_ascii_case("eq ") {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(&after[3..]).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            // Entra and others write True and False.
            _ => {
                return bare_boolean(&after[3..]).map(|value| {
                    found.push(Condition { path: path.to_owned(), value });
                    found
                });
            }
        };
        let end = 3 + values.byte_offset();
        found.push(Condition { path: path.to_owned(), value });
        rest = after[end..].trim_start();
        if rest.is_empty() {
            return Some(found);
        }
        if !rest.get(..4)?.eq_ignore_ascii_case("and ") {
            return None;
        }
        rest = rest[4..].trim_start();
    }
}

fn bare_boolean(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return Some(Value::Bool(true));
    }
    text.eq_ignore_ascii_case("false").then_some(Value::Bool(false))
}

/// The name of an attribute as `map` spells it; names have no case (RFC 7643 §2.1).
#[must_use]
pub fn spelled(map: &Map<String, Value>, name: &str) -> String {
    if map.contains_key(name) {
        return name.to_owned();
    }
    map.keys().find(|k| k.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

/// Whether all conditions hold for a complex value, or for a whole resource.
#[must_use]
pub fn holds(value: &Value, conditions: &[Condition]) -> bool {
    conditions.iter().all(|c| parse(&c.path).is_some_and(|path| reach(value, &path).iter().any(|v| same(v, &c.value))))
}

fn reach<'v>(value: &'v Value, path: &Path) -> Vec<&'v Value> {
    let Some(map) = value.as_object() else {
        // A condition on a simple value speaks of it as "value".
        return if path.attribute.as_deref() == Some("value") { vec![value] } else { Vec::new() };
    };
    let step = |map: &'v Map<String, Value>, name: &str| map.get(&spelled(map, name));
    let base = match &path.urn {
        None => Some(map),
        Some(urn) => step(map, urn).and_then(Value::as_object),
    };
    let Some(found) = base.and_then(|m| step(m, path.attribute.as_deref()?)) else {
        return Vec::new();
    };
    let elements: Vec<&Value> = found.as_array().map_or_else(|| vec![found], |a| a.iter().collect());
    let chosen = elements.into_iter().filter(|e| holds(e, &path.conditions));
    match path.sub.as_deref() {
        None => chosen.collect(),
        Some(sub) => chosen.filter_map(|e| step(e.as_object()?, sub)).collect(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.to_lowercase() == b.to_lowercase(),
        (Value::String(s), Value::Bool(flag)) | (Value::Bool(flag), Value::String(s)) => {
            s.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths() {
        let show = |text| {
            let p = parse(text)?;
            let conditions: Vec<_> = p.conditions.iter().map(|c| format!("{}={}", c.path, c.value)).collect();
            Some(format!(
                "{:?} {:?} {} {:?}",
                p.urn.as_deref(),
                p.attribute.as_deref(),
                conditions.join("&"),
                p.sub.as_deref()
            ))
        };
        for (text, wanted) in [
            ("title", r#"None Some("title")  None"#),
            ("name.familyName", r#"None Some("name")  Some("familyName")"#),
            (r#"emails[type eq "work"].value"#, r#"None Some("emails") type="work" Some("value")"#),
            (r#"a[type eq "x and y" and primary eq True]"#, r#"None Some("a") type="x and y"&primary=true None"#),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", r#"None Some("title")  None"#),
            (
                "urn:x:enterprise:2.0:User:manager.value",
                r#"Some("urn:x:enterprise:2.0:User") Some("manager")  Some("value")"#,
            ),
            ("urn:x:enterprise:2.0:User", r#"Some("urn:x:enterprise:2.0:User") None  None"#),
        ] {
            assert_eq!(show(text).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(parse(""), None);
        assert_eq!(parse(r#"a[type sw "x"]"#), None);
    }

    #[test]
    fn filters_on_resources() {
        let user = json!({"userName": "Ada", "emails": [{"type": "work", "value": "a@x"}], "urn:e:2.0:User": {"department": "R"}});
        for (filter, wanted) in [
            (r#"userName eq "ada""#, true),
            (r#"username eq "bob""#, false),
            (r#"emails[type eq "work"].value eq "A@X""#, true),
            (r#"emails.value eq "a@x" and urn:e:2.0:User:department eq "R""#, true),
            (r#"emails[type eq "home"].value eq "a@x""#, false),
        ] {
            assert_eq!(holds(&user, &conditions(filter).unwrap()), wanted, "{filter}");
        }
        assert_eq!(conditions(r#"userName sw "a""#), None);
    }
}
