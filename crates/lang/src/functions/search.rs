//! Finding texts in texts and in lists.

use provost_model::Value;

use super::Kind::{self, Integer, List};
use super::{Function, entry, example, form, needed, optional};
use crate::datum::Datum;
use crate::program::{Arguments, Eval, Stop};

const COMPARE: Kind = Kind::Word(&["vbBinaryCompare", "vbTextCompare"]);

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "InStr",
        &[form(&[
            needed("value1", Kind::Text),
            needed("value2", Kind::Text),
            optional("start", Integer),
            optional("compareType", COMPARE),
        ])],
        Integer,
        in_str,
        "Where the second text starts in the first, counted from 1, at or after the start; 0 when it is not \
         there. `vbTextCompare` ignores letter case, `vbBinaryCompare` (the default) does not.",
        &[
            example("InStr(\"The quick brown fox\", \"quick\")", "{}", "5"),
            example("InStr(\"repEated\", \"e\", 3, vbBinaryCompare)", "{}", "7"),
            example("InStr(\"repEated\", \"e\", 3, vbTextCompare)", "{}", "4"),
            example("InStr([mail], \"@\")", "{}", "0"),
        ],
    )
    .edges(&[
        "0 when either text is null.",
        "A start below 1 counts as 1; one beyond the end finds nothing.",
        "An empty second text is found at the start.",
    ]),
    entry(
        "Contains",
        &[form(&[needed("attribute", List), needed("search", Kind::Text)])],
        Integer,
        contains,
        "The number of the first value that holds the text, counted from 1, in exact case; 0 when none does. \
         Made for Item.",
        &[
            example("Contains([mails], \"SMTP:\")", r#"{"mails":["smtp:a@x","SMTP:b@x"]}"#, "2"),
            example(
                r#"Item([mails], Contains([mails], "SMTP:"))"#,
                r#"{"mails":["smtp:a@x","SMTP:b@x"]}"#,
                r#""SMTP:b@x""#,
            ),
            example(r#"Contains([mails], "x500:")"#, r#"{"mails":["smtp:a@x"]}"#, "0"),
        ],
    )
    .edges(&["0 for null.", "A single value counts as a list of one."]),
];

fn in_str<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let (Some(text), Some(part)) = (call.text(0)?, call.text(1)?) else { return number(0) };
    let start = call.integer(2)?.unwrap_or(1).max(1) as usize - 1;
    let ignores_case = call.text(3)?.is_some_and(|word| word.eq_ignore_ascii_case("vbTextCompare"));
    let Some((from, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(start) else { return number(0) };
    let found = if ignores_case {
        let (text, part) = (fold(&text[from..]), fold(&part));
        text.find(&part).map(|at| text[..at].chars().count())
    } else {
        text[from..].find(&*part).map(|at| text[from..from + at].chars().count())
    };
    number(found.map_or(0, |before| start + before + 1))
}

/// Letter for letter, so that positions stay.
fn fold(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut lower = c.to_lowercase();
            if lower.len() == 1 { lower.next().unwrap_or(c) } else { c }
        })
        .collect()
}

fn contains<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let Some(part) = call.text(1)? else { return number(0) };
    let (mut index, mut found) = (0, 0);
    call.for_each(0, |datum| -> Result<(), Stop> {
        index += 1;
        if found == 0 && call.as_str_of(0, datum)?.is_some_and(|text| text.contains(&*part)) {
            found = index;
        }
        Ok(())
    })?;
    number(found)
}

fn number<'a>(value: usize) -> Eval<'a> {
    Ok(Datum::Own(Value::Integer(value as i64)))
}
