//! Whether a call can work at all: the number of its arguments and what each can be.
//!
//! Only certain mistakes are errors. An attribute may hold anything, so that its kind is judged during evaluation.

use std::ops::Range;

use provost_model::Value;

use super::{Node, NodeKind, compare};
use crate::datum::Datum;
use crate::error::code;
use crate::functions::{Form, Function, Kind, Parameter};
use crate::{LangError, dates};

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
            Some(node) => kind(function, parameter, node, errors),
        }
    }
    form
}

fn plural(count: usize) -> String {
    format!("{count} argument{}", if count == 1 { "" } else { "s" })
}

fn kind(function: &Function, parameter: &Parameter, node: &Node, errors: &mut Vec<LangError>) {
    let Some(problem) = mismatch(parameter.kind, node) else { return };
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

fn mismatch(kind: Kind, node: &Node) -> Option<Mismatch> {
    let constant = node.constant();
    if constant.is_some_and(Value::is_null) {
        return None;
    }
    let text = constant.and_then(Value::as_text);
    let empty = text.is_some_and(|text| text.trim().is_empty());
    let given = result_kind(node);
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
        None => describe(given).to_owned(),
    };
    Some(Mismatch { takes, found, hint })
}

/// What a part gives, as far as its text tells.
fn result_kind(node: &Node) -> Kind {
    match &node.kind {
        NodeKind::Constant(Value::Integer(_)) => Kind::Integer,
        NodeKind::Constant(Value::Boolean(_)) | NodeKind::Compare { .. } => Kind::Boolean,
        NodeKind::Constant(Value::Text(_)) | NodeKind::Concatenation(_) => Kind::Text,
        NodeKind::Call(call) => call.function.returns,
        NodeKind::Folded { original, .. } => result_kind(original),
        NodeKind::Constant(_) | NodeKind::Attribute(_) | NodeKind::IgnoreAttribute | NodeKind::IgnoreObject => {
            Kind::Any
        }
    }
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
