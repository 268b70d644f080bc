//! What becomes of a value after it is computed: left out, hidden, or chosen so that nobody else has it. The bare words
//! `IgnoreAttributeFlow` and `IgnoreObjectFlow` belong to the grammar and stand wherever a value can.

use super::Kind::Any;
use super::{Function, entry, example, form, needed, repeating};
use crate::error::code;
use crate::program::{Arguments, Eval, Stop};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "IgnoreFlowIfNullOrEmpty",
        &[form(&[needed("expression", Any)])],
        Any,
        ignore_if_empty,
        "The value, unless it is null or empty: then the attribute is left out of the change, neither set nor cleared.",
        &[example("IgnoreFlowIfNullOrEmpty([mail])", r#"{"mail":"ada@x"}"#, r#""ada@x""#)],
    ),
    entry(
        "Redact",
        &[form(&[needed("value", Any)])],
        Any,
        |call| call.get(0),
        "The value itself, shown as [Redact] in every log, trace and plan.",
        &[example("Redact([pin])", r#"{"pin":"4711"}"#, r#""4711""#)],
    ),
    entry(
        "SelectUniqueValue",
        &[repeating(&[needed("rule", Any), needed("rule", Any)], 1)],
        Any,
        select_unique,
        "The first value that no other object of the target has. Null and empty ones are passed over; when all are taken \
         the object fails. The outermost function only, and only for creation.",
        &[example("SelectUniqueValue([a], [b])", r#"{"a":null,"b":"ada"}"#, r#""ada""#)],
    )
    .contextual(),
];

fn ignore_if_empty<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let datum = call.get(0)?;
    if datum.is_unassigned() { Err(Stop::IgnoreAttribute) } else { Ok(datum) }
}

fn select_unique<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    for at in 0..call.len() {
        let datum = call.single(at)?;
        if datum.is_unassigned() {
            continue;
        }
        let Some(taken) = call.context().taken else { return Ok(datum) };
        let Some(text) = call.as_str_of(at, datum)? else { continue };
        if !taken(&text) {
            return Ok(text.into());
        }
    }
    Err(call
        .fail(code::ALL_TAKEN, "every value is taken or empty")
        .hint("add a further rule, or give this object another name at its source"))
}
