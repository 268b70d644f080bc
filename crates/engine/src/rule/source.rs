//! Expressions and filters over one class of a source: read, and judged by what its schema says. The rules of a job, the
//! command line and the API find the same mistakes, because all ask here.

use std::ops::Range;

use provost_lang::{Environment, Expression, LangError, ScopeFilter, Shape, nearest};
use provost_model::{AttributePath, AttributeSchema, ClassSchema, Code, Place, Severity};

pub(super) const UNKNOWN_ATTRIBUTE: Code = Code::new("PRV-0521");

/// An expression, where it can be read, and all that is wrong with it or will fail for some objects.
pub fn read_expression(
    text: &str,
    from: &ClassSchema,
    environment: &Environment,
) -> (Option<Expression>, Vec<LangError>) {
    let expression = match Expression::compile_with(text, environment) {
        Ok(expression) => expression,
        Err(errors) => return (None, errors),
    };
    let mut findings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, span) in expression.attribute_places() {
        if seen.contains(&name) || from.attribute(name).is_some() {
            continue;
        }
        seen.push(name);
        let path = name.parse().unwrap_or_else(|_| AttributePath::name(name));
        findings.extend(unknown(text, &path, span, from));
    }
    findings.extend(expression.check(&|name| shape(from, name)));
    (Some(expression), findings)
}

/// A filter, where it can be read, and all that is wrong with it. Texts compare as the class says for each attribute.
pub fn read_filter(text: &str, from: &ClassSchema) -> (Option<ScopeFilter>, Vec<LangError>) {
    let case_exact = |path: &AttributePath| from.resolve(path).is_some_and(|attribute| attribute.case_exact);
    let places = ScopeFilter::attribute_places(text);
    let mut findings: Vec<LangError> =
        places.into_iter().filter_map(|(path, span)| unknown(text, &path, span, from)).collect();
    match ScopeFilter::parse(text, &case_exact) {
        Ok(filter) => (Some(filter), findings),
        Err(errors) => {
            findings.extend(errors);
            findings.sort_by_key(|finding| finding.span.start);
            (None, findings)
        }
    }
}

/// A closed class names all its attributes; anything else would be null for everybody, silently.
fn unknown(text: &str, path: &AttributePath, span: Range<usize>, from: &ClassSchema) -> Option<LangError> {
    if from.open || path.name.eq_ignore_ascii_case("id") || from.resolve(path).is_some() {
        return None;
    }
    if from.attribute(&path.to_string()).is_some() {
        return None;
    }
    let hint = match (from.attribute(&path.name), &path.sub) {
        (Some(parent), Some(sub)) => {
            known(sub, &parent.sub_attributes, &format!("`{}`", path.name), |near| format!("[{}.{near}]", path.name))
        }
        _ => known(&path.name, &from.attributes, &format!("`{}`", from.name), |near| format!("[{near}]")),
    };
    Some(LangError {
        code: UNKNOWN_ATTRIBUTE,
        severity: Severity::Error,
        place: Place::of(text, &span),
        span,
        message: format!("the source class `{}` has no attribute `{path}`", from.name),
        hint: Some(hint),
    })
}

/// What is there in place of a name that is not.
pub(super) fn known(
    written: &str,
    attributes: &[AttributeSchema],
    owner: &str,
    shown: impl Fn(&str) -> String,
) -> String {
    let names = || attributes.iter().map(|attribute| attribute.name.as_str());
    match nearest(written, names()) {
        Some(near) => format!("did you mean `{}`?", shown(near)),
        None if attributes.is_empty() => format!("{owner} has no parts"),
        None => format!("{owner} has: {}", names().collect::<Vec<_>>().join(", ")),
    }
}

/// What a class says about the attribute of this name, or about what it leads to as a path.
pub(super) fn shape(class: &ClassSchema, name: &str) -> Option<Shape> {
    if let Some(attribute) = class.attribute(name) {
        return Some(Shape { kind: attribute.kind, multi_valued: attribute.multi_valued });
    }
    let path: AttributePath = name.parse().ok()?;
    let found = class.resolve(&path)?;
    // A filter in the path picks elements, one as a rule; without it a part of a list is as many as the list has.
    let multi_valued = match (&path.filter, &path.sub) {
        (Some(_), Some(_)) => found.multi_valued,
        (Some(_), None) => false,
        (None, Some(_)) => {
            let parent = AttributePath { sub: None, ..path.clone() };
            found.multi_valued || class.resolve(&parent).is_some_and(|parent| parent.multi_valued)
        }
        (None, None) => found.multi_valued,
    };
    Some(Shape { kind: found.kind, multi_valued })
}

#[cfg(test)]
mod tests {
    use provost_model::{AttributeType, Attributes};

    use super::*;

    fn person() -> ClassSchema {
        let many =
            |name: &str| AttributeSchema { multi_valued: true, ..AttributeSchema::new(name, AttributeType::String) };
        ClassSchema {
            name: "person".into(),
            attributes: vec![
                AttributeSchema { case_exact: true, ..AttributeSchema::new("login", AttributeType::String) },
                AttributeSchema::new("title", AttributeType::String),
                AttributeSchema::new("active", AttributeType::Boolean),
                AttributeSchema::new("level", AttributeType::Integer),
                AttributeSchema::new("hired", AttributeType::DateTime),
                many("aliases"),
                AttributeSchema {
                    multi_valued: true,
                    sub_attributes: vec![AttributeSchema::new("value", AttributeType::String)],
                    ..AttributeSchema::new("emails", AttributeType::Complex)
                },
            ],
            ..ClassSchema::default()
        }
    }

    /// `severity code column+length message`, one a finding.
    fn told(findings: &[LangError]) -> Vec<String> {
        let line = |finding: &LangError| {
            let LangError { severity, code, place, message, .. } = finding;
            format!("{} {code} {}+{} {message}", severity.as_str(), place.column, place.length)
        };
        findings.iter().map(line).collect()
    }

    #[test]
    fn a_schema_finds_what_the_text_alone_does_not_tell() {
        for (text, wanted) in [
            ("ToLower([login])", ""),
            (r#""é" & [lgin]"#, "error PRV-0521 7+6 the source class `person` has no attribute `lgin`"),
            ("ToLower([aliases])", ""),
            ("Join(\",\", [aliases])", ""),
            ("Item([aliases], 1)", ""),
            ("\"x\" & ToLower([aliases])", "warning PRV-0212 7+18 `&` takes one value, and this may be several"),
            ("[emails.value] = \"a\"", "warning PRV-0212 1+14 `=` takes one value, and this may be several"),
            ("ToLower([emails[type eq \"work\"].value])", ""),
            (
                "ToLower([emails])",
                "error PRV-0205 9+8 `source` of `ToLower` takes a simple value, not the complex attribute [emails]",
            ),
            (
                "DateAdd(\"d\", 1, [active])",
                "error PRV-0205 17+8 `dateTime` of `DateAdd` takes a date, not the boolean attribute [active]",
            ),
            (
                "Left([login], [hired])",
                "error PRV-0205 15+7 `n` of `Left` takes a whole number, not the date attribute [hired]",
            ),
            ("Left([login], [level])", ""),
            ("IIF([active], [title], [login])", ""),
        ] {
            let (expression, findings) = read_expression(text, &person(), &Environment::default());
            assert!(expression.is_some(), "{text}");
            assert_eq!(told(&findings).join("; "), wanted, "{text}");
        }
    }

    #[test]
    fn a_filter_compares_as_the_schema_says() {
        let record: Attributes = [("login", "Ada"), ("title", "Boss")].into_iter().collect();
        for (text, matches) in [("login eq \"ada\"", false), ("login eq \"Ada\"", true), ("title eq \"boss\"", true)] {
            let (filter, findings) = read_filter(text, &person());
            assert_eq!(told(&findings), Vec::<String>::new(), "{text}");
            assert_eq!(filter.unwrap().matches(&record), matches, "{text}");
        }
        let (_, findings) = read_filter("title eq \"lgin\" and lgin pr and title REGEX MATCH \"(\"", &person());
        let found = told(&findings);
        assert_eq!(found[0], "error PRV-0521 21+4 the source class `person` has no attribute `lgin`");
        assert!(found[1].starts_with("error PRV-0207 51+3 "), "{found:?}");
        assert_eq!(findings[0].hint.as_deref(), Some("did you mean `[login]`?"));
    }
}
