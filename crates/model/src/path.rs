//! Attribute paths in SCIM notation (RFC 7644 figure 7): where a value sits inside an object.
//!
//! `displayName`, `name.familyName`, `emails[type eq "work"].value`,
//! `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`. Names compare without regard to case.
//! Reading and writing by path happens here, once, for every connector that has nested attributes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::filter::{FilterError, parse_path, select};
use crate::{Attributes, Filter, Operator, Text, Value};

/// The place of a value: `[schema:]name[filter][.sub]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AttributePath {
    /// The URN of an extension (or of the core schema) in front of the name.
    pub schema: Option<Text>,
    pub name: Text,
    /// Selects elements of a complex list.
    pub filter: Option<Box<Filter>>,
    pub sub: Option<Text>,
}

impl AttributePath {
    /// A plain attribute. The name is taken as it stands; file headers may hold blanks and dots.
    pub fn name(name: impl Into<Text>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(crate) fn is_name(text: &str) -> bool {
        !text.is_empty() && !text.contains(['.', ':', '[', ']', '"', '(', ')', ','])
    }

    /// `[urn:]name[.sub]` without brackets. A version in the URN holds dots, so the URN is cut at its last colon first.
    pub(crate) fn parse_plain(text: &str) -> Result<Self, String> {
        let (schema, rest) = match text.rfind(':') {
            Some(colon) if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) => {
                (Some(Text::from(&text[..colon])), &text[colon + 1..])
            }
            Some(_) => return Err(format!("`{text}` has a colon but is no URN")),
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !Self::is_name(name) || sub.is_some_and(|sub| !Self::is_name(sub)) {
            return Err(format!("`{text}` is no attribute path"));
        }
        Ok(Self { schema, name: name.into(), filter: None, sub: sub.map(Text::from) })
    }

    /// The `attribute eq value` terms of the filter when it is made of such terms alone: the element that a write creates.
    pub fn selector(&self) -> Option<Vec<(&str, &Value)>> {
        let terms = self.filter.as_ref()?.conjunction()?;
        terms
            .into_iter()
            .map(|t| (t.op == Operator::Eq && t.path.is_plain()).then(|| (t.path.name.as_str(), &t.value)))
            .collect()
    }

    /// The first operator in the brackets that nothing can be selected by: patterns, and Entra's comparisons of whole
    /// numbers. Paths read them, because whole filters may have such paths and judge them by other means.
    ///
    /// ```
    /// use provost_model::{AttributePath, Operator};
    ///
    /// let path: AttributePath = "emails[type REGEX MATCH \"w.*\"].value".parse()?;
    /// assert_eq!(path.unselectable(), Some(Operator::RegexMatch));
    /// let path: AttributePath = "emails[type sw \"w\"].value".parse()?;
    /// assert_eq!(path.unselectable(), None);
    /// # Ok::<(), provost_model::filter::FilterError>(())
    /// ```
    pub fn unselectable(&self) -> Option<Operator> {
        select::unselectable(self.filter.as_deref()?)
    }

    /// Only a name, without URN, filter or sub-attribute.
    pub fn is_plain(&self) -> bool {
        self.schema.is_none() && self.filter.is_none() && self.sub.is_none()
    }

    /// Whether the URN is that of an extension, whose attributes sit in a container of their own (RFC 7643 section 3.3).
    fn container(&self) -> Option<&str> {
        const CORE: &str = "urn:ietf:params:scim:schemas:core:";
        let is_core = |urn: &str| urn.get(..CORE.len()).is_some_and(|start| start.eq_ignore_ascii_case(CORE));
        self.schema.as_deref().filter(|urn| !is_core(urn))
    }

    /// The whole path as one name, which flat records such as files give their columns.
    pub fn flat_name(&self) -> String {
        Bare(self).to_string()
    }

    /// The value at this place. A path without selector into a list takes the first element that has the sub-attribute.
    /// A record that keeps flat names (`name.familyName` as one attribute, as files do) is read by the whole text.
    pub fn get<'a>(&self, attributes: &'a Attributes) -> Option<&'a Value> {
        let inner = match self.container() {
            Some(urn) => match attributes.find(urn) {
                Some(extension) => extension.as_complex()?,
                None => return attributes.find(&self.flat_name()),
            },
            None => attributes,
        };
        let Some(value) = inner.find(&self.name) else {
            return if self.is_plain() { None } else { attributes.find(&self.flat_name()) };
        };
        match value {
            Value::List(elements) if self.picks() => self.picked(elements).next(),
            value => match &self.sub {
                Some(sub) => value.as_complex()?.find(sub),
                None => Some(value),
            },
        }
    }

    /// What an expression means by this path: all values that a list has there, `[emails.value]` for example. A selector made
    /// of `eq` alone names one element, as it does for [`put`](Self::put), and gives its value as [`get`](Self::get) does.
    pub fn read<'a>(&self, attributes: &'a Attributes) -> Option<Cow<'a, Value>> {
        let first = self.get(attributes)?;
        let several = match self.list(attributes) {
            Some(elements) if self.picks() && self.selector().is_none() => self.picked(elements),
            _ => return Some(Cow::Borrowed(first)),
        };
        let all: Vec<Value> = several.cloned().collect();
        Some(if all.len() > 1 { Cow::Owned(Value::List(all)) } else { Cow::Borrowed(first) })
    }

    /// Every value at this place: those of all elements that the path selects, where [`get`](Self::get) gives the first one's.
    pub fn values<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        match self.list(attributes) {
            Some(elements) if self.picks() => self.picked(elements).flat_map(Value::elements).collect(),
            _ => self.get(attributes).map(Value::elements).unwrap_or_default().iter().collect(),
        }
    }

    /// The list under the path's name, where there is one.
    fn list<'a>(&self, attributes: &'a Attributes) -> Option<&'a [Value]> {
        match self.container() {
            Some(urn) => attributes.find(urn)?.as_complex()?.find(&self.name)?.as_list(),
            None => attributes.find(&self.name)?.as_list(),
        }
    }

    /// Whether parts of a list are meant and not the list.
    fn picks(&self) -> bool {
        self.filter.is_some() || self.sub.is_some()
    }

    fn picked<'a>(&self, elements: &'a [Value]) -> impl Iterator<Item = &'a Value> {
        elements
            .iter()
            .filter(|element| self.filter.as_ref().is_none_or(|filter| select::selects(filter, element)))
            .filter_map(|element| match &self.sub {
                Some(sub) => element.as_complex()?.find(sub),
                None => Some(element),
            })
    }

    /// Puts a value at this place, creating containers and list elements on the way. [`Value::Null`] takes it away.
    pub fn put(&self, attributes: &mut Attributes, value: Value) {
        let inner = match self.container() {
            Some(urn) => match attributes.entry(urn, || Value::Complex(Attributes::new())) {
                Value::Complex(inner) => inner,
                other => {
                    *other = Value::Complex(Attributes::new());
                    let Value::Complex(inner) = other else { return };
                    inner
                }
            },
            None => attributes,
        };
        if let Some(selector) = self.selector() {
            self.put_element(inner, &selector, value);
        } else if self.filter.is_some() {
            // A filter that is more than a selector names elements that may be there, none that could be made.
        } else if let (Some(sub), Some(Value::List(elements))) = (&self.sub, inner.find_mut(&self.name)) {
            // A list under a path without selector: its first element is meant, as in `get`.
            match (elements.first_mut(), value) {
                (Some(Value::Complex(first)), value) => put_or_remove(first, sub, value),
                (None, value) if !value.is_null() => {
                    elements.push(Value::Complex([(sub.clone(), value)].into_iter().collect()));
                }
                _ => {}
            }
        } else if let Some(sub) = &self.sub {
            if value.is_null() && inner.find(&self.name).is_none() {
                return;
            }
            let parent = inner.entry(&self.name, || Value::Complex(Attributes::new()));
            if !matches!(parent, Value::Complex(_)) {
                *parent = Value::Complex(Attributes::new());
            }
            if let Value::Complex(parent) = parent {
                put_or_remove(parent, sub, value);
            }
        } else {
            put_or_remove(inner, &self.name, value);
        }
    }

    fn put_element(&self, attributes: &mut Attributes, selector: &[(&str, &Value)], value: Value) {
        let list = attributes.entry(&self.name, || Value::List(Vec::new()));
        if !matches!(list, Value::List(_)) {
            *list = Value::List(Vec::new());
        }
        let Value::List(elements) = list else { return };
        let found = elements.iter().position(|element| select::has_all(element, selector));
        let at = match found {
            Some(at) => at,
            None if value.is_null() => return,
            None => {
                elements.push(Value::Complex(selector.iter().map(|(name, value)| (*name, (*value).clone())).collect()));
                elements.len() - 1
            }
        };
        match (&mut elements[at], &self.sub) {
            (Value::Complex(element), Some(sub)) => put_or_remove(element, sub, value),
            (_, None) if value.is_null() => {
                elements.remove(at);
            }
            (Value::Complex(element), None) => {
                if let Value::Complex(new) = value {
                    new.into_iter().for_each(|(name, value)| element.set(name, value));
                }
            }
            _ => {}
        }
    }
}

fn put_or_remove(attributes: &mut Attributes, name: &str, value: Value) {
    if value.is_null() {
        attributes.remove(name);
    } else {
        attributes.set(name, value);
    }
}

impl FromStr for AttributePath {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse_path(text)
    }
}

impl fmt::Display for AttributePath {
    /// Names that the plain grammar cannot carry are printed in brackets, which the parser reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_blank = |text: &Text| text.contains(char::is_whitespace);
        let is_odd = self.schema.is_none() && !Self::is_name(&self.name);
        if is_odd || has_blank(&self.name) || [&self.schema, &self.sub].into_iter().flatten().any(has_blank) {
            write!(f, "[{}]", Bare(self))
        } else {
            Bare(self).fmt(f)
        }
    }
}

/// The text of a path without brackets around it, as flat records name their attributes.
struct Bare<'p>(&'p AttributePath);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path) = self;
        if let Some(urn) = &path.schema {
            write!(f, "{urn}:")?;
        }
        f.write_str(&path.name)?;
        if let Some(filter) = &path.filter {
            write!(f, "[{filter}]")?;
        }
        match &path.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

impl Serialize for AttributePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttributePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    fn path(text: &str) -> AttributePath {
        text.parse().unwrap()
    }

    #[test]
    fn prints_what_it_parsed() {
        for text in [
            "displayName",
            "name.familyName",
            "emails[type eq \"work\"].value",
            "members[value eq \"1\"]",
            "[First Name]",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        ] {
            assert_eq!(path(text).to_string(), text);
        }
        for text in ["", "a b", "a..b", "x:y", "a[b", "a[b eq 1]c", "a.b.c"] {
            assert!(text.parse::<AttributePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn puts_and_gets_at_every_kind_of_place() {
        let mut attributes = Attributes::new();
        let places = [
            ("userName", "ada"),
            ("name.familyName", "Lovelace"),
            ("emails[type eq \"work\"].value", "ada@example.org"),
            ("emails[type eq \"home\"].value", "ada@home"),
            (&format!("{ENTERPRISE}:department"), "Engines"),
            (&format!("{ENTERPRISE}:manager.value"), "7"),
        ];
        for (text, value) in places {
            path(text).put(&mut attributes, value.into());
        }
        for (text, value) in places {
            assert_eq!(path(text).get(&attributes), Some(&Value::text(value)), "{text}");
        }
        assert_eq!(
            serde_json::to_string(&attributes).unwrap(),
            format!(
                "{{\"userName\":\"ada\",\"name\":{{\"familyName\":\"Lovelace\"}},\"emails\":[{{\"type\":\"work\",\"value\":\"ada@example.org\"}},\
                 {{\"type\":\"home\",\"value\":\"ada@home\"}}],\"{ENTERPRISE}\":{{\"department\":\"Engines\",\"manager\":{{\"value\":\"7\"}}}}}}"
            )
        );
        path("emails[type eq \"HOME\"]").put(&mut attributes, Value::Null);
        assert_eq!(path("emails[type eq \"home\"].value").get(&attributes), None);
        path("name.familyName").put(&mut attributes, Value::Null);
        assert_eq!(path("NAME.FAMILYNAME").get(&attributes), None);
    }

    #[test]
    fn lists_are_never_replaced_by_one_of_their_parts() {
        let mut attributes: Attributes =
            serde_json::from_str(r#"{"emails":[{"type":"work","value":"a"},{"type":"home","value":"b"}]}"#).unwrap();
        path("emails.value").put(&mut attributes, "c".into());
        path("emails[type ne \"work\"].value").put(&mut attributes, "d".into());
        let text = serde_json::to_string(&attributes).unwrap();
        assert_eq!(text, r#"{"emails":[{"type":"work","value":"c"},{"type":"home","value":"b"}]}"#);
    }

    #[test]
    fn any_filter_selects_elements() {
        let attributes: Attributes = serde_json::from_str(
            r#"{"emails":[{"type":"work","value":"a","n":1},{"type":"home","value":"b","primary":true,"n":9},{"value":"c"}],
                "tags":["red","green"]}"#,
        )
        .unwrap();
        for (text, want) in [
            (r#"emails[type ne "work"].value"#, Some("b")),
            ("emails[value ne null and type IS NULL].value", Some("c")),
            (r#"emails[type eq "x" or primary eq true].value"#, Some("b")),
            (r#"emails[type eq "x" or primary eq "True"].value"#, Some("b")),
            (r#"emails[not (type pr)].value"#, Some("c")),
            (r#"emails[type eq "WORK" and value sw "A"].value"#, Some("a")),
            (r#"emails[type eq "work" and value EQUALS "A"].value"#, None),
            ("emails[n gt 5].value", Some("b")),
            (r#"emails[type in ("x", "home")].value"#, Some("b")),
            (r#"tags[value co "ee"]"#, Some("green")),
        ] {
            assert_eq!(path(text).get(&attributes), want.map(Value::text).as_ref(), "{text}");
        }
        for (text, want) in [
            ("emails.value", r#"["a","b","c"]"#),
            (r#"emails[type pr].value"#, r#"["a","b"]"#),
            (r#"emails[type ne "work"].value"#, r#"["b","c"]"#),
            (r#"emails[type eq "work"].value"#, r#""a""#),
            ("emails.primary", "true"),
            ("tags", r#"["red","green"]"#),
            ("emails.missing", "null"),
        ] {
            let found = path(text).read(&attributes);
            assert_eq!(serde_json::to_string(&found.as_deref()).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn letters_of_several_bytes_are_no_trap() {
        for text in ["a\u{e9}\u{e9}:x", "\u{1f600}:y", "ur\u{e9}:z"] {
            assert!(text.parse::<AttributePath>().is_err());
        }
    }

    #[test]
    fn flat_names_are_read_by_the_whole_text() {
        let attributes: Attributes = [("name.familyName", "Lovelace")].into_iter().collect();
        assert_eq!(path("name.familyName").get(&attributes), Some(&Value::text("Lovelace")));
    }
}
