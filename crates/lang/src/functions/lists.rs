//! Multi-valued attributes.

use std::collections::HashSet;

use provost_model::{Text, Value};

use super::Kind::{self, Any, Integer, List};
use super::{Function, entry, example, form, needed};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "Split",
        &[form(&[needed("source", Kind::Texts), needed("delimiter", Kind::Text)])],
        List,
        split,
        "The pieces between the delimiters, without white space at their ends. Empty pieces between two \
         delimiters stay, so that Item counts right; an empty source gives an empty list, null stays null.",
        &[
            example("Split([a], \",\")", r#"{"a":"One, Two"}"#, r#"["One","Two"]"#),
            example("Split([a], \",\")", r#"{"a":"One,,Three"}"#, r#"["One","","Three"]"#),
            example(r#"Item(Split([name], " "), 2)"#, r#"{"name":"Ada Lovelace"}"#, r#""Lovelace""#),
        ],
    )
    .edges(&[
        "Null stays null.",
        "Of a multi-valued attribute the pieces of all values make one list.",
        "An empty delimiter does not cut.",
    ]),
    entry(
        "Count",
        &[form(&[needed("attribute", List)])],
        Integer,
        count,
        "How many values there are: 0 for null, 1 for a single value.",
        &[
            example("Count([a])", r#"{"a":["x","y"]}"#, "2"),
            example("Count([a])", "{}", "0"),
            example("Count([a])", r#"{"a":"x"}"#, "1"),
        ],
    )
    .edges(&["Nulls and empty values in a list count.", "Duplicates count each time: RemoveDuplicates first."]),
    entry(
        "Item",
        &[form(&[needed("attribute", List), needed("index", Integer)])],
        Any,
        item,
        "The value of this number, counted from 1. A number beyond the list is an error; an absent attribute \
         gives null.",
        &[
            example("Item([a], 2)", r#"{"a":["x","y"]}"#, r#""y""#),
            example("Item(Split(\"a-b\", \"-\"), 1)", "{}", r#""a""#),
            example("Item([a], 3)", r#"{"a":["x"]}"#, "PRV-0222: Item: `index` is outside of the list"),
        ],
    )
    .edges(&[
        "Index 0 and negative ones are errors.",
        "A single value counts as a list of one.",
        "Count or Contains find an index that is there.",
    ]),
    entry(
        "RemoveDuplicates",
        &[form(&[needed("attribute", List)])],
        List,
        remove_duplicates,
        "Each value once, in the order of their first places. Texts compare in exact case.",
        &[
            example("RemoveDuplicates([a])", r#"{"a":["x","y","x","X"]}"#, r#"["x","y","X"]"#),
            example("RemoveDuplicates([a])", r#"{"a":[1,"1",1]}"#, r#"[1,"1"]"#),
            example("RemoveDuplicates([a])", r#"{"a":[{"v":1,"t":"w"},{"t":"w","v":1}]}"#, r#"[{"t":"w","v":1}]"#),
        ],
    )
    .edges(&[
        "Null stays null, and a single value itself.",
        "Complex values are equal when each of their sub-attributes is.",
        "A number and its text are different values.",
    ]),
];

fn split<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let delimiter = call.text(1)?;
    let delimiter = delimiter.as_deref().unwrap_or_default();
    let mut pieces = Vec::new();
    let mut is_null = true;
    call.for_each(0, |datum| {
        if let Some(text) = call.as_str_of(0, datum)? {
            is_null = false;
            if delimiter.is_empty() {
                pieces.push(Value::text(text.trim()));
            } else if !text.is_empty() {
                pieces.extend(text.split(delimiter).map(|piece| Value::text(piece.trim())));
            }
        }
        Ok(())
    })?;
    Ok(if is_null { NULL } else { Datum::Own(Value::List(pieces)) })
}

fn count<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let datum = call.get(0)?;
    let count = match datum.as_value() {
        Some(Value::List(values)) => values.len(),
        Some(Value::Null) => 0,
        _ => 1,
    };
    Ok(Datum::Own(Value::Integer(count as i64)))
}

fn item<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let list = call.get(0)?;
    if list.is_null() {
        return Ok(NULL);
    }
    let index = call.needed_integer(1)?;
    let at = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    let found = match (list, at) {
        (_, None) => None,
        (Datum::Ref(Value::List(values)), Some(at)) => values.get(at).map(Datum::Ref),
        (Datum::Own(Value::List(mut values)), Some(at)) => {
            (at < values.len()).then(|| Datum::Own(values.swap_remove(at)))
        }
        (single, Some(at)) => (at == 0).then_some(single),
    };
    found.ok_or_else(|| {
        let found = Some(compact_str::format_compact!("{index}"));
        call.wrong(1, code::VALUE_RANGE, "is outside of the list", found).hint("indexes start at 1; ask Count first")
    })
}

fn remove_duplicates<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let datum = call.get(0)?;
    let Some(Value::List(values)) = datum.as_value() else { return Ok(datum) };
    let mut texts: HashSet<&Text> = HashSet::with_capacity(values.len());
    let mut others: HashSet<String> = HashSet::new();
    let mut kept: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        let is_new = match value {
            Value::Text(text) => texts.insert(text),
            other => others.insert(identity(other)),
        };
        if is_new {
            kept.push(value.clone());
        }
    }
    Ok(Datum::Own(Value::List(kept)))
}

/// The same text for equal values and for no others: JSON with its names in order, since attributes have none.
fn identity(value: &Value) -> String {
    match value {
        Value::Complex(attributes) => {
            let mut parts: Vec<String> = attributes
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::text(name).to_json(), identity(value)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::List(values) => format!("[{}]", values.iter().map(identity).collect::<Vec<_>>().join(",")),
        // Zero has two signs that are equal.
        Value::Decimal(0.0) => "0.0".to_owned(),
        Value::Reference(reference) => format!("ref {:?} {:?}", reference.class.as_str(), reference.id.as_str()),
        other => other.to_json().to_string(),
    }
}
