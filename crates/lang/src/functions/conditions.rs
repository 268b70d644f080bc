//! Choices and tests. Branches that are not chosen are not evaluated. How values compare is `program::compare`'s part.

use provost_model::Value;

use super::Kind::{Any, Boolean, Integer, Text};
use super::{Function, entry, example, form, needed, optional, repeating};
use crate::datum::{Datum, NULL};
use crate::program::{Arguments, Eval, equal};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "IIF",
        &[form(&[needed("condition", Boolean), optional("valueIfTrue", Any), optional("valueIfFalse", Any)])],
        Any,
        iif,
        "One of two values. A comparison with a null or empty attribute fails, except that null and empty \
         equal each other: `[a] = \"\"` asks whether `a` has no value. An empty slot gives null.",
        &[
            example("IIF([country] = \"CH\", \"home\", \"abroad\")", r#"{"country":"CH"}"#, r#""home""#),
            example("IIF([country] = \"\", \"unknown\", [country])", "{}", r#""unknown""#),
            example(
                "IIF(DateDiff(\"d\", [a], [b]) > 30, \"long\", \"short\")",
                r#"{"a":"2024-01-01","b":"2024-03-01"}"#,
                r#""long""#,
            ),
        ],
    )
    .edges(&[
        "Only the chosen value is evaluated.",
        "A condition that is neither true nor false is an error: compare it.",
        "`[a] <> \"\"` asks for a value; `[a] <> \"x\"` fails when `a` has none.",
        "And and Or combine conditions.",
    ]),
    entry(
        "Switch",
        &[repeating(
            &[needed("source", Any), optional("defaultValue", Any), needed("key", Any), optional("value", Any)],
            2,
        )],
        Any,
        switch,
        "The value behind the first key that equals the source, in exact case; else the default, else null. \
         The key \"\" matches null and empty. An empty slot is null.",
        &[
            example(
                "Switch([state], \"other\", \"NSW\", \"Sydney\", \"QLD\", \"Brisbane\")",
                r#"{"state":"QLD"}"#,
                r#""Brisbane""#,
            ),
            example(
                "Switch([deleted], , \"False\", \"True\", \"True\", \"False\")",
                r#"{"deleted":true}"#,
                r#""False""#,
            ),
            example("Switch([country], [country], \"\", \"Other\")", "{}", r#""Other""#),
        ],
    )
    .edges(&[
        "Values are evaluated only when their key is the one; keys from left to right.",
        "A number equals its text: the key \"1\" fits 1.",
        "A source of several values is an error.",
        "An empty slot behind the last key is a value of null.",
    ]),
    entry(
        "Coalesce",
        &[repeating(&[needed("source", Any)], 1)],
        Any,
        coalesce,
        "The first argument that has a value. When none has, the first empty one: a default of \"\" works; \
         null only when all are null.",
        &[
            example("Coalesce([mail], [login])", r#"{"mail":null,"login":"ada"}"#, r#""ada""#),
            example("Coalesce([preferredName], [firstName])", r#"{"preferredName":"","firstName":"Ada"}"#, r#""Ada""#),
            example("Coalesce([mail], \"\")", "{}", r#""""#),
        ],
    )
    .edges(&[
        "A multi-valued attribute counts as one value and is passed on whole.",
        "Arguments behind the first value are not evaluated.",
    ]),
    entry(
        "CBool",
        &[form(&[needed("expression", Boolean)])],
        Boolean,
        |call| boolean(call.truth(0)?),
        "True for a comparison that holds, a number other than zero and the word true; false for null.",
        &[
            example("CBool([a] = [b])", r#"{"a":"x","b":"x"}"#, "true"),
            example("CBool(\"0\")", "{}", "false"),
            example("CBool([a])", "{}", "false"),
        ],
    )
    .edges(&[
        "Texts other than true and false are read as numbers; anything else is an error.",
        "An empty text is false.",
    ]),
    entry(
        "Not",
        &[form(&[needed("source", Any)])],
        Any,
        not,
        "\"False\" for the text True, \"True\" for any other text and for null. The other Boolean for a \
         Boolean.",
        &[
            example("Not([IsSoftDeleted])", r#"{"IsSoftDeleted":"True"}"#, r#""False""#),
            example("Not([IsSoftDeleted])", r#"{"IsSoftDeleted":false}"#, "true"),
            example("Not([IsSoftDeleted])", "{}", r#""True""#),
        ],
    )
    .edges(&[
        "true in any letter case is the text True.",
        "A number is a text here: Not(0) is \"True\", and Not(1) too.",
        "Several values are an error.",
    ]),
    entry(
        "And",
        &[repeating(&[needed("condition", Boolean)], 1)],
        Boolean,
        |call| boolean(any(call, false)?.is_none()),
        "Whether all conditions hold. Stops at the first that does not.",
        &[
            example("And([a] = 1, IsPresent([b]))", r#"{"a":1}"#, "false"),
            example("And([a] = 1, IsPresent([b]))", r#"{"a":1,"b":"x"}"#, "true"),
            example(r#"IIF(And([a] > 1, [a] < 5, [b] = "x"), "in", "out")"#, r#"{"a":3,"b":"x"}"#, r#""in""#),
        ],
    )
    .edges(&["A null condition counts as false.", "What stands behind the first false condition is not evaluated."])
    .ours(),
    entry(
        "Or",
        &[repeating(&[needed("condition", Boolean)], 1)],
        Boolean,
        |call| boolean(any(call, true)?.is_some()),
        "Whether any condition holds. Stops at the first that does.",
        &[
            example("Or([a] = 1, IsPresent([b]))", r#"{"a":1}"#, "true"),
            example("Or([a] = 1, IsPresent([b]))", "{}", "false"),
            example(r#"IIF(Or([type] = "E", [type] = "C"), "staff", "guest")"#, r#"{"type":"C"}"#, r#""staff""#),
        ],
    )
    .edges(&["A null condition counts as false.", "What stands behind the first true condition is not evaluated."])
    .ours(),
    entry(
        "IsNull",
        &[form(&[needed("source", Any)])],
        Boolean,
        |call| boolean(call.get(0)?.is_null()),
        "Whether the value is absent or null. An empty text is not.",
        &[
            example("IsNull([a])", "{}", "true"),
            example("IsNull([a])", r#"{"a":""}"#, "false"),
            example("IsNull([a])", r#"{"a":null}"#, "true"),
        ],
    )
    .edges(&["An empty list is not null.", "A comparison with null fails; IsNull is how to ask for it."]),
    entry(
        "IsNothing",
        &[form(&[needed("source", Any)])],
        Boolean,
        |call| boolean(call.get(0)?.is_null()),
        "The same as IsNull.",
        &[
            example("IsNothing([a])", "{}", "true"),
            example("IsNothing([a])", r#"{"a":""}"#, "false"),
            example("IsNothing([a])", r#"{"a":"x"}"#, "false"),
        ],
    )
    .edges(&["The same as IsNull in every respect."]),
    entry(
        "IsNullOrEmpty",
        &[form(&[needed("source", Any)])],
        Boolean,
        |call| boolean(call.get(0)?.is_unassigned()),
        "Whether the value is absent, null, an empty text or an empty list.",
        &[
            example("IsNullOrEmpty([a])", r#"{"a":""}"#, "true"),
            example("IsNullOrEmpty([a])", r#"{"a":" "}"#, "false"),
            example("IsNullOrEmpty(Trim([a]))", r#"{"a":" "}"#, "true"),
        ],
    )
    .edges(&[
        "A text of blanks is not empty: IsNullOrEmpty(Trim([a])) looks through them.",
        "A list of empty values is not empty.",
    ]),
    entry(
        "IsPresent",
        &[form(&[needed("source", Any)])],
        Boolean,
        |call| boolean(!call.get(0)?.is_unassigned()),
        "The opposite of IsNullOrEmpty.",
        &[
            example("IsPresent([a])", r#"{"a":"x"}"#, "true"),
            example("IsPresent([a])", r#"{"a":""}"#, "false"),
            example("IsPresent([a])", r#"{"a":false}"#, "true"),
        ],
    )
    .edges(&["Present is what has a value, 0 and false among them."]),
    entry(
        "IsString",
        &[form(&[needed("expression", Any)])],
        Boolean,
        |call| boolean(call.get(0)?.into_str().is_ok_and(|text| text.is_some())),
        "Whether the value has a text: a single value that is not null.",
        &[
            example("IsString([a])", r#"{"a":5}"#, "true"),
            example("IsString([a])", r#"{"a":["x","y"]}"#, "false"),
            example("IsString([a])", "{}", "false"),
        ],
    )
    .edges(&["A list of one value is no single value here.", "Numbers, Booleans, dates and references have a text."]),
    entry(
        "BitAnd",
        &[form(&[needed("value1", Integer), needed("value2", Integer)])],
        Integer,
        bit_and,
        "The bits that both numbers have; null when one is null. Hexadecimal numbers are written &HF7.",
        &[
            example("BitAnd(&HF, &HF7)", "{}", "7"),
            example("IIF(BitAnd([flags], 2) = 0, \"on\", \"off\")", r#"{"flags":"514"}"#, r#""off""#),
            example("BitAnd([a], 1)", "{}", "null"),
        ],
    )
    .edges(&[
        "Numbers are whole and have 64 bits; negative ones have their highest bits set.",
        "Something that is no whole number is an error.",
    ]),
    entry(
        "Error",
        &[form(&[needed("message", Text)])],
        Any,
        error,
        "Fails this object with a message of your own, which is logged: keep personal data out of it.",
        &[
            example(
                r#"IIF(IsPresent([mail]), [mail], Error("no mail for " & [id]))"#,
                r#"{"id":"7"}"#,
                "PRV-0223: no mail for 7",
            ),
            example(r#"IIF(IsPresent([mail]), [mail], Error("no mail"))"#, r#"{"mail":"ada@x"}"#, r#""ada@x""#),
            example(
                r#"Switch([type], Error("unknown type"), "E", "staff")"#,
                r#"{"type":"X"}"#,
                "PRV-0223: unknown type",
            ),
        ],
    )
    .edges(&[
        "Only when it is evaluated: in a branch that is not taken it does nothing.",
        "A null message gives a general one.",
    ])
    .contextual(),
];

fn boolean<'a>(value: bool) -> Eval<'a> {
    Ok(Datum::Own(Value::Boolean(value)))
}

fn iif<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    if call.truth(0)? { call.get(1) } else { call.get(2) }
}

fn switch<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let source = call.single(0)?;
    for at in (2..call.len()).step_by(2) {
        if equal(&source, &call.single(at)?) {
            return call.get(at + 1);
        }
    }
    call.get(1)
}

fn coalesce<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let mut fallback = NULL;
    for at in 0..call.len() {
        let datum = call.get(at)?;
        if !datum.is_unassigned() {
            return Ok(datum);
        }
        if fallback.is_null() {
            fallback = datum;
        }
    }
    Ok(fallback)
}

fn not<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let source = call.single(0)?;
    if let Some(Value::Boolean(value)) = source.as_value() {
        return boolean(!value);
    }
    let is_true = source.into_str().is_ok_and(|text| text.is_some_and(|text| text.eq_ignore_ascii_case("true")));
    Ok(Datum::Slice(if is_true { "False" } else { "True" }))
}

/// The first condition that has this truth.
fn any(call: &Arguments<'_, '_>, wanted: bool) -> Result<Option<usize>, crate::program::Stop> {
    for at in 0..call.len() {
        if call.truth(at)? == wanted {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn bit_and<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    Ok(match (call.integer(0)?, call.integer(1)?) {
        (Some(a), Some(b)) => Datum::Own(Value::Integer(a & b)),
        _ => NULL,
    })
}

fn error<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let message = call.text(0)?;
    Err(call.raise(message.as_deref().unwrap_or("the mapping raised an error without a message").to_owned()))
}
