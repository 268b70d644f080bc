//! Whether a call can work at all: the number of its arguments and what each can be.
//!
//! Only certain mistakes are errors. Without a schema an attribute may hold anything; [`check`] judges once more for those
//! who know what each attribute is.

use std::ops::Range;

use provost_model::{AttributeType, Value};

use super::{Node, NodeKind, compare};
use crate::datum::Datum;
use crate::error::code;
use crate::functions::{Form, Function, Kind, Parameter};
use crate::{LangError, dates};

/// What a schema says about an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// The type of its values.
    pub kind: AttributeType,
    /// Whether an object may have several.
    pub multi_valued: bool,
}

/// The shape of an attribute, where it is known.
type Known<'k> = &'k dyn Fn(&str) -> Option<Shape>;

/// What is wrong with a program for attributes of these shapes, beyond what its text alone told.
pub(crate) fn check(root: &Node, known: Known<'_>) -> Vec<LangError> {
    let mut findings = Vec::new();
    root.walk(&mut |node| match &node.kind {
        NodeKind::Call(call) => {
            let form = call.function.form(call.arguments.len());
            for (at, argument) in call.arguments.iter().enumerate() {
                let (Some(parameter), Some(argument)) = (form.parameter(at), argument) else { continue };
                kind(call.function, parameter, argument, known, &mut findings);
                let takes_one = !matches!(parameter.kind, Kind::Any | Kind::Texts | Kind::List);
                if takes_one && gives_many(argument, known) {
                    findings.push(many(argument, format!("`{}` of `{}`", parameter.name, call.function.name)));
                }
            }
        }
        NodeKind::Compare { operator, left, right } => {
            for part in [left, right].into_iter().filter(|part| gives_many(part, known)) {
                findings.push(many(part, format!("`{}`", operator.as_str())));
            }
        }
        NodeKind::Concatenation(parts) => {
            for part in parts.iter().filter(|part| gives_many(part, known)) {
                findings.push(many(part, "`&`".to_owned()));
            }
        }
        _ => {}
    });
    findings
}

fn many(node: &Node, taker: String) -> LangError {
    LangError::new(code::MANY_VALUES, node.span.clone(), format!("{taker} takes one value, and this may be several"))
        .hint("pick one with Item(list, 1), or make one text with Join(\",\", list)")
        .warning()
}

/// Whether a part may give a list because of the attributes in it. Functions on texts apply to each value of a list.
pub(crate) fn gives_many(node: &Node, known: Known<'_>) -> bool {
    match &node.kind {
        NodeKind::Attribute(attribute) => known(&attribute.name).is_some_and(|shape| shape.multi_valued),
        NodeKind::Call(call) if call.function.returns == Kind::Texts => {
            let form = call.function.form(call.arguments.len());
            call.arguments.iter().enumerate().any(|(at, argument)| {
                form.parameter(at).is_some_and(|parameter| parameter.kind == Kind::Texts)
                    && argument.as_ref().is_some_and(|argument| gives_many(argument, known))
            })
        }
        _ => false,
    }
}

/// The form that the arguments fit, or what is wrong with their number.
pub(super) fn form(
    function: &'static Function,
    arguments: &[Option<Node>],
    span: &Range<usize>,
    errors: &mut Vec<LangError>,
) -> &'static Form {
    let form = function.form(arguments.len());
    let (least, most) = (form.least(), form.parameters.len());
    let fits = if form.repeats > 0 {
        arguments.len() >= least && (arguments.len() - most).is_multiple_of(form.repeats)
    } else {
        (least..=most).contains(&arguments.len())
    };
    if !fits {
        let takes = match (form.repeats, least, most) {
            (0, 0, 0) => "no arguments".to_owned(),
            (0, least, most) if least == most => plural(least),
            (0, least, most) => format!("{least} to {}", plural(most)),
            (1, least, _) => format!("at least {}", plural(least)),
            (by, least, _) => format!("{} or more, {by} at a time", plural(least)),
        };
        let message = format!("`{}` takes {takes}, not {}", function.name, arguments.len());
        errors.push(LangError::new(code::ARGUMENTS, span.clone(), message).hint(function.signature()));
        return form;
    }
    for (at, argument) in arguments.iter().enumerate() {
        let Some(parameter) = form.parameter(at) else { continue };
        match argument {
            None if !parameter.is_optional => {
                let message =
                    format!("argument {} (`{}`) of `{}` is left empty", at + 1, parameter.name, function.name);
                errors.push(LangError::new(code::ARGUMENTS, span.clone(), message).hint(function.signature()));
            }
            None => {}
            Some(node) => kind(function, parameter, node, &|_| None, errors),
        }
    }
    form
}

fn plural(count: usize) -> String {
    format!("{count} argument{}", if count == 1 { "" } else { "s" })
}

fn kind(function: &Function, parameter: &Parameter, node: &Node, known: Known<'_>, errors: &mut Vec<LangError>) {
    let Some(problem) = mismatch(parameter.kind, node, known) else { return };
    let message = format!("`{}` of `{}` takes {}, not {}", parameter.name, function.name, problem.takes, problem.found);
    let mut error = LangError::new(code::KIND, node.span.clone(), message);
    error.hint = problem.hint;
    errors.push(error);
}

struct Mismatch {
    takes: String,
    found: String,
    hint: Option<String>,
}

fn mismatch(kind: Kind, node: &Node, known: Known<'_>) -> Option<Mismatch> {
    if let NodeKind::Attribute(attribute) = &node.kind
        && known(&attribute.name).is_some_and(|shape| shape.kind == AttributeType::Complex)
        && !matches!(kind, Kind::Any | Kind::List)
    {
        let name = &attribute.name;
        return Some(Mismatch {
            takes: "a simple value".to_owned(),
            found: format!("the complex attribute [{name}]"),
            hint: Some(format!("name the part that is meant, as in [{name}.value]")),
        });
    }
    let constant = node.constant();
    if constant.is_some_and(Value::is_null) {
        return None;
    }
    let text = constant.and_then(Value::as_text);
    let empty = text.is_some_and(|text| text.trim().is_empty());
    let given = result_kind(node, known);
    let mut hint = None;
    let takes = match kind {
        Kind::Any | Kind::Texts | Kind::List => return None,
        Kind::Text if given == Kind::List => {
            hint = Some("pick one with Item(list, 1), or make one text with Join(\",\", list)".to_owned());
            "one text".to_owned()
        }
        Kind::Text => return None,
        Kind::Integer => {
            let fits = match text {
                Some(text) => empty || compare::whole_number(text).is_some(),
                None => {
                    matches!(given, Kind::Any | Kind::Text | Kind::Texts | Kind::Integer)
                        && !matches!(constant, Some(Value::Decimal(_)))
                }
            };
            if fits {
                return None;
            }
            "a whole number".to_owned()
        }
        Kind::Boolean => {
            let fits = match constant {
                Some(value) => compare::truth(&Datum::Ref(value)).is_some(),
                None => !matches!(given, Kind::List | Kind::Date),
            };
            if fits {
                return None;
            }
            hint = Some("compare it, as in [flag] = \"yes\"".to_owned());
            "a condition".to_owned()
        }
        Kind::Date => {
            let fits = match text {
                Some(text) => empty || dates::parse(text).is_some(),
                None => matches!(given, Kind::Any | Kind::Text | Kind::Texts | Kind::Date),
            };
            if fits {
                return None;
            }
            hint = Some("dates look like 2025-01-31, 2025-01-31T08:00:00Z or 1/31/2025 8:00:00 AM".to_owned());
            "a date".to_owned()
        }
        Kind::Word(words) | Kind::Words(words) => {
            let fits = match constant {
                Some(_) => text.is_some_and(|text| kind.has_word(text)),
                None => matches!(given, Kind::Any | Kind::Text | Kind::Texts | Kind::Word(_) | Kind::Words(_)),
            };
            if fits {
                return None;
            }
            format!("one of {}", words.join(", "))
        }
    };
    let found = match constant {
        Some(value) => match &node.kind {
            NodeKind::Constant(_) => format!("`{value}`"),
            _ => describe(given).to_owned(),
        },
        None => described(node, given),
    };
    Some(Mismatch { takes, found, hint })
}

/// What a part gives, as far as its text tells.
fn result_kind(node: &Node, known: Known<'_>) -> Kind {
    match &node.kind {
        NodeKind::Constant(Value::Integer(_)) => Kind::Integer,
        NodeKind::Constant(Value::Boolean(_)) | NodeKind::Compare { .. } => Kind::Boolean,
        NodeKind::Constant(Value::Text(_)) | NodeKind::Concatenation(_) => Kind::Text,
        NodeKind::Call(call) => call.function.returns,
        NodeKind::Folded { original, .. } => result_kind(original, known),
        NodeKind::Attribute(attribute) => known(&attribute.name).map_or(Kind::Any, |shape| kind_of(shape.kind)),
        NodeKind::Constant(_) | NodeKind::IgnoreAttribute | NodeKind::IgnoreObject => Kind::Any,
    }
}

/// What an attribute of this type counts as. Dates of sources are texts in ISO form, so that they pass as texts too.
fn kind_of(kind: AttributeType) -> Kind {
    match kind {
        AttributeType::Boolean => Kind::Boolean,
        AttributeType::Integer => Kind::Integer,
        AttributeType::DateTime => Kind::Date,
        AttributeType::String | AttributeType::Binary | AttributeType::Reference => Kind::Text,
        AttributeType::Decimal | AttributeType::Complex => Kind::Any,
    }
}

fn described(node: &Node, given: Kind) -> String {
    let NodeKind::Attribute(attribute) = &node.kind else { return describe(given).to_owned() };
    let kind = match given {
        Kind::Boolean => "boolean ",
        Kind::Integer => "integer ",
        Kind::Date => "date ",
        Kind::Any | Kind::Text | Kind::Texts | Kind::List | Kind::Word(_) | Kind::Words(_) => "",
    };
    format!("the {kind}attribute [{}]", attribute.name)
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Any => "this value",
        Kind::Text | Kind::Texts | Kind::Word(_) | Kind::Words(_) => "a text",
        Kind::Integer => "a number",
        Kind::Boolean => "a condition",
        Kind::Date => "a date",
        Kind::List => "a list",
    }
}
