//! Filters as data: SCIM's grammar (RFC 7644 section 3.4.2.2) and Entra's scoping operators in one tree.
//!
//! Here are the tree, its parser and its canonical printer. Evaluation against a record is `provost-lang`'s; a connector
//! translates the tree into its target's own query and refuses what it cannot do exactly.

mod escape;
mod lex;
mod parse;
pub(crate) mod select;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AttributePath, Value};

pub use parse::{FilterError, MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS};
pub(crate) use parse::{parse_filter, parse_path};

/// A condition on one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Term(Term),
    /// `emails[type eq "work" and value ew ".org"]`: one element satisfies all of it.
    Each {
        path: AttributePath,
        filter: Box<Filter>,
    },
}

/// `attribute operator value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub path: AttributePath,
    pub op: Operator,
    /// [`Value::Null`] for operators without an operand; a list for [`Operator::In`].
    pub value: Value,
    pub spans: Spans,
}

/// Where the parts of a term stand in the text that it was read from, in bytes; empty for a term that was made without text.
/// Two terms are equal wherever they stand.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    pub attribute: Range<usize>,
    pub operator: Range<usize>,
    pub operand: Range<usize>,
}

impl PartialEq for Spans {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// SCIM's operators, then Entra's. Entra's compare letter case exactly and are false on a null, `IS NULL` excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
    Pr,
    In,
    Equals,
    NotEquals,
    IsTrue,
    IsFalse,
    IsNull,
    IsNotNull,
    RegexMatch,
    NotRegexMatch,
    GreaterThan,
    GreaterThanOrEquals,
    /// The attribute contains the text.
    Includes,
    /// `&`: the attribute's value stands inside the given text.
    Within,
    /// `!&`: it does not.
    NotWithin,
    EndsWith,
}

impl Operator {
    /// The canonical spelling, which the parser reads back.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Eq => "eq",
            Operator::Ne => "ne",
            Operator::Co => "co",
            Operator::Sw => "sw",
            Operator::Ew => "ew",
            Operator::Gt => "gt",
            Operator::Ge => "ge",
            Operator::Lt => "lt",
            Operator::Le => "le",
            Operator::Pr => "pr",
            Operator::In => "in",
            Operator::Equals => "EQUALS",
            Operator::NotEquals => "NOT EQUALS",
            Operator::IsTrue => "IS TRUE",
            Operator::IsFalse => "IS FALSE",
            Operator::IsNull => "IS NULL",
            Operator::IsNotNull => "IS NOT NULL",
            Operator::RegexMatch => "REGEX MATCH",
            Operator::NotRegexMatch => "NOT REGEX MATCH",
            Operator::GreaterThan => "Greater_Than",
            Operator::GreaterThanOrEquals => "Greater_Than_OR_EQUALS",
            Operator::Includes => "Includes",
            Operator::Within => "&",
            Operator::NotWithin => "!&",
            Operator::EndsWith => "ENDS_WITH",
        }
    }

    /// Whether the value is a regular expression, in which only `\"` and `\\` are escapes.
    pub fn takes_pattern(self) -> bool {
        matches!(self, Operator::RegexMatch | Operator::NotRegexMatch)
    }

    /// Whether a value follows the operator.
    pub fn takes_value(self) -> bool {
        !matches!(self, Operator::Pr | Operator::IsTrue | Operator::IsFalse | Operator::IsNull | Operator::IsNotNull)
    }
}

impl Filter {
    /// Reads a filter, or tells all its mistakes in the order of the text. [`str::parse`] tells the first.
    ///
    /// ```
    /// let errors = provost_model::Filter::parse("a eq x and (b is 3 or c pr) and d").unwrap_err();
    /// let told: Vec<_> = errors.iter().map(|error| (error.span.start, error.message.as_str())).collect();
    /// assert_eq!(told, [(5, "`x` is no value"), (14, "unknown operator `is`"), (33, "expected an operator")]);
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<FilterError>> {
        parse_filter(text)
    }

    /// `path eq value`, the filter of a matching attribute.
    pub fn eq(path: AttributePath, value: impl Into<Value>) -> Self {
        Filter::Term(Term { path, op: Operator::Eq, value: value.into(), spans: Spans::default() })
    }

    /// All terms that must hold together, when the filter is a plain conjunction (a term alone is one of one).
    pub fn conjunction(&self) -> Option<Vec<&Term>> {
        match self {
            Filter::Term(term) => Some(vec![term]),
            Filter::And(parts) => parts.iter().map(|p| if let Filter::Term(t) = p { Some(t) } else { None }).collect(),
            _ => None,
        }
    }

    /// Calls `visit` for every path that is compared, those inside brackets included (relative to their element).
    pub fn for_each_path<'a>(&'a self, visit: &mut dyn FnMut(&'a AttributePath)) {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| part.for_each_path(visit)),
            Filter::Not(inner) => inner.for_each_path(visit),
            Filter::Term(term) => visit(&term.path),
            Filter::Each { path, .. } => visit(path),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse_filter(text).map_err(|mut errors| errors.swap_remove(0))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl Filter {
    /// `binding` is 0 at the top, 1 inside `or`, 2 inside `and`: brackets only where they change the meaning.
    fn print(&self, f: &mut fmt::Formatter<'_>, binding: u8) -> fmt::Result {
        match self {
            Filter::Or(parts) => join(f, parts, " or ", binding >= 1 && parts.len() > 1, 1),
            Filter::And(parts) => join(f, parts, " and ", binding >= 2 && parts.len() > 1, 2),
            Filter::Not(inner) => {
                f.write_str("not (")?;
                inner.print(f, 0)?;
                f.write_str(")")
            }
            Filter::Term(term) if term.op.takes_value() => {
                write!(f, "{} {} ", term.path, term.op.as_str())?;
                match &term.value {
                    Value::Text(pattern) if term.op.takes_pattern() => escape::print_pattern(f, pattern),
                    value => print_value(f, value),
                }
            }
            Filter::Term(term) => write!(f, "{} {}", term.path, term.op.as_str()),
            Filter::Each { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str, brackets: bool, binding: u8) -> fmt::Result {
    if brackets {
        f.write_str("(")?;
    }
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        part.print(f, binding)?;
    }
    if brackets {
        f.write_str(")")?;
    }
    Ok(())
}

fn print_value(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::List(values) => {
            f.write_str("(")?;
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    f.write_str(", ")?;
                }
                print_value(f, value)?;
            }
            f.write_str(")")
        }
        other => f.write_str(&serde_json::to_string(other).map_err(|_| fmt::Error)?),
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
