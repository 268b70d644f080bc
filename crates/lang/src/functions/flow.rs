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
        "The value, unless it is null or empty: then the attribute is left out of the change, not set nor cleared.",
        &[
            example("IgnoreFlowIfNullOrEmpty([mail])", r#"{"mail":"ada@x"}"#, r#""ada@x""#),
            example("IgnoreFlowIfNullOrEmpty([mail])", "{}", "ignore attribute"),
            example(r#"Join("", "x", IgnoreFlowIfNullOrEmpty([a]))"#, r#"{"a":""}"#, "ignore attribute"),
        ],
    )
    .edges(&[
        "Inside of other functions, too, it decides for the whole attribute.",
        "A list of empty values is a value.",
    ]),
    entry(
        "Redact",
        &[form(&[needed("value", Any)])],
        Any,
        |call| call.get(0),
        "The value itself, shown as [Redact] in every log, trace and plan.",
        &[
            example("Redact([pin])", r#"{"pin":"4711"}"#, r#""4711""#),
            example(r#"Redact(Join("", [login], [pin]))"#, r#"{"login":"ada","pin":"4711"}"#, r#""ada4711""#),
            example("Redact([pin])", "{}", "null"),
        ],
    )
    .edges(&[
        "The target gets the value; only what people read is hidden.",
        "Everything that is made of it is hidden as well.",
        "Errors do not name values of a redacted expression.",
    ]),
    entry(
        "SelectUniqueValue",
        &[repeating(&[needed("rule", Any), needed("rule", Any)], 1)],
        Any,
        select_unique,
        "The first value that no other object of the target has. Null and empty ones are passed over; when all are \
         taken the object fails. The outermost function only, and only for creation.",
        &[
            example("SelectUniqueValue([a], [b])", r#"{"a":null,"b":"ada"}"#, r#""ada""#),
            example(r#"SelectUniqueValue([login], [login] & "1")"#, r#"{"login":"ada"}"#, r#""ada1""#).taken(&["ada"]),
            example(
                r#"SelectUniqueValue([login], [login] & "1")"#,
                r#"{"login":"ada"}"#,
                "PRV-0224: SelectUniqueValue: every value is taken or empty",
            )
            .taken(&["ada", "ada1"]),
        ],
    )
    .edges(&[
        "At least two rules; a rule is evaluated only when those before it are taken.",
        "How values compare is the target attribute's matter: usually in any letter case.",
        "Only in a mapping that applies on creation, never on a matching attribute.",
    ])
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
