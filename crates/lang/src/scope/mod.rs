//! Filters on records: SCIM's operators and Entra's, compiled once and run on every object.
//!
//! The tree, its text and its parser are `provost_model::filter`'s; here it is only judged. [`ScopeFilter::clauses`] says
//! why an object is in or out. Where values come from is `place`, how one compares is `operand`.

mod clause;
mod operand;
mod place;
mod text;

use std::ops::Range;

use provost_model::{AttributePath, Attributes, Filter, Text, Value};
use serde::Serialize;

use crate::LangError;
use clause::Clause;
use place::Place;

/// A compiled filter.
///
/// How SCIM's operators compare (RFC 7644 section 3.4.2.2):
/// - `eq ne co sw ew` ignore letter case, unless [`compile_with`](ScopeFilter::compile_with) says that the attribute is
///   `caseExact`; `gt ge lt le` order numbers by value, dates in time and other texts by their letters;
/// - a number or Boolean in the filter compares by value with a text in the record, because files hold texts only;
/// - a term on an absent, null or empty attribute is false, except `ne`, which is the negation of `eq`, and `eq null`;
/// - a multi-valued attribute matches when any value does, a complex value compares its `value`.
///
/// Entra's operators compare letter case exactly and are false on absent, null and empty, `IS NULL` excepted.
/// `REGEX MATCH` must match the whole value.
///
/// ```
/// use provost_lang::ScopeFilter;
/// use provost_model::Attributes;
///
/// let filter = ScopeFilter::compile(&r#"status ne "prospect" and level ge 5"#.parse()?).unwrap();
/// let row: Attributes = [("Status", "active"), ("level", "12")].into_iter().collect();
/// assert!(filter.matches(&row));
/// # Ok::<(), provost_model::filter::FilterError>(())
/// ```
#[derive(Debug)]
pub struct ScopeFilter {
    test: Test,
}

#[derive(Debug)]
enum Test {
    And(Box<[Test]>),
    Or(Box<[Test]>),
    Not(Box<Test>),
    Clause(Box<Clause>),
    /// One element satisfies all of it.
    Each {
        text: Text,
        place: Box<Place>,
        test: Box<Test>,
    },
}

/// What one clause of a filter said about an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClauseVerdict {
    /// The clause in its canonical text.
    pub clause: String,
    /// What the object holds there; `None` when it has no such attribute.
    pub value: Option<Value>,
    /// Whether the clause by itself holds. A `not` around it is no part of the clause.
    pub matched: bool,
}

/// Whether the attribute at a path compares in exact case.
type CaseExact<'c> = &'c dyn Fn(&AttributePath) -> bool;

/// What a filter is compiled with.
#[derive(Clone, Copy)]
struct Setting<'c> {
    case_exact: CaseExact<'c>,
    /// The text of the filter, for the places of errors; empty where it is not at hand.
    source: &'c str,
}

impl ScopeFilter {
    /// Compiles a filter whose texts compare without letter case.
    ///
    /// ```
    /// let errors = provost_lang::ScopeFilter::compile(&r#"mail REGEX MATCH "(""#.parse()?).unwrap_err();
    /// assert_eq!(errors[0].code.as_str(), "PRV-0207");
    /// # Ok::<(), provost_model::filter::FilterError>(())
    /// ```
    pub fn compile(filter: &Filter) -> Result<Self, Vec<LangError>> {
        Self::compile_with(filter, &|_| false)
    }

    /// Compiles a filter for a schema that knows which attributes are `caseExact`. The path of a term inside brackets is
    /// asked for with its parent, as `emails.value`.
    ///
    /// ```
    /// use provost_lang::ScopeFilter;
    /// use provost_model::Attributes;
    ///
    /// let record: Attributes = [("id", "aB"), ("userName", "aB")].into_iter().collect();
    /// let exact = |path: &provost_model::AttributePath| path.name == "id";
    /// for (text, matches) in [(r#"userName eq "ab""#, true), (r#"id eq "ab""#, false), (r#"id eq "aB""#, true)] {
    ///     assert_eq!(ScopeFilter::compile_with(&text.parse()?, &exact).unwrap().matches(&record), matches);
    /// }
    /// # Ok::<(), provost_model::filter::FilterError>(())
    /// ```
    pub fn compile_with(filter: &Filter, case_exact: CaseExact<'_>) -> Result<Self, Vec<LangError>> {
        Self::compile_in(filter, Setting { case_exact, source: "" })
    }

    /// Reads and compiles the text of a filter. Every error has its place in the text.
    ///
    /// ```
    /// let errors = provost_lang::ScopeFilter::parse("städte gt 3 and mail REGEX MATCH \"(\"", &|_| false).unwrap_err();
    /// assert_eq!((errors[0].place.column, errors[0].place.length), (34, 3));
    /// let errors = provost_lang::ScopeFilter::parse("mail is 3", &|_| false).unwrap_err();
    /// assert_eq!(errors[0].to_string(), "unknown operator `is` at column 6");
    /// ```
    pub fn parse(source: &str, case_exact: CaseExact<'_>) -> Result<Self, Vec<LangError>> {
        let filter =
            Filter::parse(source).map_err(|errors| errors.into_iter().map(LangError::from).collect::<Vec<_>>())?;
        Self::compile_in(&filter, Setting { case_exact, source })
    }

    /// The attributes that the text of a filter reads, each where it stands first; nothing for a text that is no filter.
    ///
    /// ```
    /// let places = provost_lang::ScopeFilter::attribute_places("a eq \"b\" and b pr");
    /// assert_eq!(places[1].0.name, "b");
    /// assert_eq!(places[1].1, 13..14);
    /// ```
    pub fn attribute_places(source: &str) -> Vec<(AttributePath, Range<usize>)> {
        text::attribute_places(source)
    }

    fn compile_in(filter: &Filter, setting: Setting<'_>) -> Result<Self, Vec<LangError>> {
        let mut errors = Vec::new();
        let test = Test::compile(filter, None, setting, &mut errors);
        if errors.is_empty() { Ok(Self { test }) } else { Err(errors) }
    }

    /// Whether the object is in scope.
    pub fn matches(&self, attributes: &Attributes) -> bool {
        self.test.matches(attributes)
    }

    /// Every clause with the value it saw, in the order of the filter; all of them, also where the result was clear
    /// before.
    ///
    /// ```
    /// use provost_lang::ScopeFilter;
    /// use provost_model::Attributes;
    ///
    /// let row: Attributes = [("status", "left")].into_iter().collect();
    /// let filter = ScopeFilter::compile(&r#"status eq "active" and mail pr"#.parse()?).unwrap();
    /// let verdicts = filter.clauses(&row);
    /// assert_eq!(verdicts[0].clause, r#"status eq "active""#);
    /// assert_eq!(verdicts[0].value, Some("left".into()));
    /// assert_eq!(verdicts[1].value, None);
    /// assert!(!verdicts[0].matched && !verdicts[1].matched);
    /// # Ok::<(), provost_model::filter::FilterError>(())
    /// ```
    pub fn clauses(&self, attributes: &Attributes) -> Vec<ClauseVerdict> {
        let mut verdicts = Vec::new();
        self.test.judge(attributes, &mut verdicts);
        verdicts
    }
}

impl Test {
    fn compile(
        filter: &Filter,
        parent: Option<&AttributePath>,
        setting: Setting<'_>,
        errors: &mut Vec<LangError>,
    ) -> Self {
        let case_exact = setting.case_exact;
        let mut all = |parts: &[Filter]| parts.iter().map(|p| Self::compile(p, parent, setting, errors)).collect();
        match filter {
            Filter::And(parts) => Test::And(all(parts)),
            Filter::Or(parts) => Test::Or(all(parts)),
            Filter::Not(inner) => Test::Not(Box::new(Self::compile(inner, parent, setting, errors))),
            Filter::Each { path, filter: inner } => Test::Each {
                text: Text::from(filter.to_string()),
                place: Box::new(Place::compile(path, setting, errors)),
                test: Box::new(Self::compile(inner, Some(path), setting, errors)),
            },
            Filter::Term(term) => {
                let exact = match parent {
                    Some(parent) => {
                        case_exact(&AttributePath { filter: None, sub: Some(term.path.name.clone()), ..parent.clone() })
                    }
                    None => case_exact(&term.path),
                };
                let place = Place::compile(&term.path, setting, errors);
                let clause =
                    Clause::compile(term, filter.to_string(), place, exact).unwrap_or_else(|(clause, error)| {
                        errors.push(text::locate(error, term, setting.source));
                        clause
                    });
                Test::Clause(Box::new(clause))
            }
        }
    }

    fn matches(&self, attributes: &Attributes) -> bool {
        match self {
            Test::And(parts) => parts.iter().all(|part| part.matches(attributes)),
            Test::Or(parts) => parts.iter().any(|part| part.matches(attributes)),
            Test::Not(inner) => !inner.matches(attributes),
            Test::Clause(clause) => clause.matches(attributes),
            Test::Each { place, test, .. } => place.any_element(attributes, |element| test.matches_element(element)),
        }
    }

    /// A value that is no complex one is its own `value`.
    fn matches_element(&self, element: &Value) -> bool {
        match element {
            Value::Complex(attributes) => self.matches(attributes),
            Value::Null | Value::List(_) => false,
            simple => self.matches(&std::iter::once(("value", simple.clone())).collect()),
        }
    }

    fn judge(&self, attributes: &Attributes, verdicts: &mut Vec<ClauseVerdict>) {
        let (clause, place) = match self {
            Test::And(parts) | Test::Or(parts) => {
                return parts.iter().for_each(|part| part.judge(attributes, verdicts));
            }
            Test::Not(inner) => return inner.judge(attributes, verdicts),
            Test::Clause(clause) => (clause.text.to_string(), &clause.place),
            Test::Each { text, place, .. } => (text.to_string(), place.as_ref()),
        };
        let value = place.value(attributes).cloned();
        verdicts.push(ClauseVerdict { clause, value, matched: self.matches(attributes) });
    }
}

#[cfg(test)]
mod tests;
