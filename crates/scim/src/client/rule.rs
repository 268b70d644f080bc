//! What a target wants of single attributes beyond its schema, and how many requests it takes.
//!
//! A value that the target would refuse is found before it is sent, so that the administrator reads what is wrong instead of
//! the target's own words. What can be told by the schema (read-only, create-only, letter case) is laid over it, so that
//! plans know.

use provost_model::{Action, AttributePath, AttributeSchema, Change, ChangeOp, ClassSchema, Mutability, Text, Value};
use serde::{Deserialize, Serialize};

use super::Dialect;

/// What a target wants of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttributeRule {
    /// When the attribute can be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<Writable>,
    /// Whether an object cannot be created without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Whether a difference in letter case is a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_exact: Option<bool>,
    /// The most characters of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The most values of a list in one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_values: Option<usize>,
    /// Characters that no value may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forbid: Option<Text>,
    /// The only values there are, in any letter case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Text>,
}

/// When an attribute can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writable {
    /// At any time.
    Always,
    /// With the create alone.
    Create,
    /// The target gives the value itself, or does not have the attribute.
    Never,
}

impl Writable {
    fn mutability(self) -> Mutability {
        match self {
            Self::Always => Mutability::ReadWrite,
            Self::Create => Mutability::Immutable,
            Self::Never => Mutability::ReadOnly,
        }
    }
}

/// So many requests in so many seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// `[POST, PATCH]`; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Text>,
    /// The beginning of the address under the base: `/Users`; all when empty.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub path: Text,
    /// Requests.
    pub requests: u32,
    /// The length of the window, in seconds: no window of this length has more requests, wherever it begins.
    pub seconds: f64,
}

/// A value that the target would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The rule's key.
    pub path: Text,
    /// For people: `` `userName` takes 20 characters, and this has 23 ``. Without the value.
    pub message: String,
    /// The attribute is not there at all.
    pub missing: bool,
}

/// The rules of one class.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<(Text, AttributePath, AttributeRule)>);

impl Rules {
    /// Those of the dialect for this class. A key that is no path is skipped; [`Rules::unknown`] tells of it.
    pub fn of(dialect: &Dialect, class: &str) -> Self {
        let rules = dialect.rules_of(class);
        Self(rules.filter_map(|(key, rule)| Some((key.clone(), key.parse().ok()?, rule.clone()))).collect())
    }

    /// Lays what a schema can tell over the class.
    pub fn lay_over(&self, class: &mut ClassSchema) {
        for (key, path, rule) in &self.0 {
            let Some(attribute) = resolve_mut(class, key, path) else { continue };
            if let Some(writable) = rule.write {
                lay_mutability(attribute, writable);
            }
            attribute.required = rule.required.unwrap_or(attribute.required);
            if let Some(case_exact) = rule.case_exact {
                lay_case(attribute, case_exact);
            }
        }
    }

    /// The first change that the target would refuse.
    pub fn check(&self, action: Action, changes: &[Change]) -> Result<(), Breach> {
        for (key, path, rule) in &self.0 {
            let mut given = changes
                .iter()
                .filter(|change| matches!(change.op, ChangeOp::Set | ChangeOp::Add) && covers(path, &change.path))
                .peekable();
            let breach = |message: String| Err(Breach { path: key.clone(), message, missing: false });
            if given.peek().is_none() {
                if action == Action::Create && rule.required == Some(true) {
                    let message = format!("the target wants `{key}`, and there is none");
                    return Err(Breach { path: key.clone(), message, missing: true });
                }
                continue;
            }
            let mut values = 0;
            for change in given {
                // Every value filter names an element of its own.
                values += if change.path.filter.is_some() { 1 } else { change.value.elements().len() };
                for text in change.value.elements().iter().filter_map(Value::to_text) {
                    if let Some(message) = rule.refuses(&change.path, &text) {
                        return breach(message);
                    }
                }
            }
            if let Some(most) = rule.max_values.filter(|most| values > *most) {
                return breach(format!("`{key}` takes {most} value(s) at this target, and {values} are to be sent"));
            }
        }
        Ok(())
    }
}

impl AttributeRule {
    fn refuses(&self, path: &AttributePath, text: &str) -> Option<String> {
        let length = || text.chars().count();
        if let Some(most) = self.max_length.filter(|most| length() > *most) {
            return Some(format!("`{path}` takes {most} characters at this target, and this has {}", length()));
        }
        if let Some(found) = self.forbid.as_ref().and_then(|forbid| text.chars().find(|c| forbid.contains(*c))) {
            return Some(format!("`{path}` may not have the character {found:?} at this target"));
        }
        if !self.values.is_empty() && !self.values.iter().any(|value| value.eq_ignore_ascii_case(text)) {
            return Some(format!("`{path}` takes one of {} at this target", self.values.join(", ")));
        }
        None
    }
}

/// Whether a change of `path` falls under a rule for `rule`: the same attribute, and the same part where the rule names one.
fn covers(rule: &AttributePath, path: &AttributePath) -> bool {
    let same = |a: &Option<Text>, b: &Option<Text>| match (a, b) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a.is_none() && b.is_none(),
    };
    same(&rule.schema, &path.schema)
        && rule.name.eq_ignore_ascii_case(&path.name)
        && (rule.sub.is_none() || same(&rule.sub, &path.sub))
        && (rule.filter.is_none() || rule.filter == path.filter)
}

/// With an attribute go its parts: mappings write these, `emails[type eq "work"].value`. A part that the schema binds otherwise
/// than the attribute, as a read-only `display`, keeps its own word where the rule allows more.
fn lay_mutability(attribute: &mut AttributeSchema, writable: Writable) {
    let (before, after) = (attribute.mutability, writable.mutability());
    attribute.mutability = after;
    for part in &mut attribute.sub_attributes {
        if part.mutability == before || (part.mutability == Mutability::ReadWrite && writable != Writable::Always) {
            lay_mutability(part, writable);
        }
    }
}

/// Texts of an attribute are those of its parts.
fn lay_case(attribute: &mut AttributeSchema, case_exact: bool) {
    attribute.case_exact = case_exact;
    for part in &mut attribute.sub_attributes {
        lay_case(part, case_exact);
    }
}

fn resolve_mut<'c>(class: &'c mut ClassSchema, key: &str, path: &AttributePath) -> Option<&'c mut AttributeSchema> {
    let name = match &path.schema {
        Some(urn) => format!("{urn}:{}", path.name),
        None => path.name.to_string(),
    };
    let is = |attribute: &AttributeSchema| {
        attribute.name.eq_ignore_ascii_case(&name) || attribute.name.eq_ignore_ascii_case(key)
    };
    let attribute = class.attributes.iter_mut().find(|attribute| is(attribute))?;
    match &path.sub {
        Some(sub) => attribute.sub_attributes.iter_mut().find(|part| part.name.eq_ignore_ascii_case(sub)),
        None => Some(attribute),
    }
}
