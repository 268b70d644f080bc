//! Putting texts together and cutting pieces out. Positions count characters from 1.

use provost_model::{Text, Value};

use super::Kind::{Any, Integer, Texts};
use super::{Function, entry, example, form, needed, repeating};
use crate::datum::{Datum, NULL, Str};
use crate::error::code;
use crate::program::{Arguments, Eval, Stop};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "Append",
        &[form(&[needed("source", Texts), needed("suffix", super::Kind::Text)])],
        Texts,
        append,
        "The source with the suffix behind it. Null stays null, so that no account is named after a suffix \
         alone.",
        &[
            example("Append([mail], \".test\")", r#"{"mail":"ada@example.org"}"#, r#""ada@example.org.test""#),
            example(r#"Append([mail], ".test")"#, "{}", "null"),
            example(r#"Append([groups], "-eu")"#, r#"{"groups":["a","b"]}"#, r#"["a-eu","b-eu"]"#),
        ],
    )
    .edges(&[
        "Null stays null; a null suffix counts as empty.",
        "Applies to each value of a multi-valued attribute.",
        "Numbers and Booleans count as their texts.",
    ]),
    entry(
        "Prepend",
        &[form(&[needed("prefix", super::Kind::Text), needed("source", Texts)])],
        Texts,
        prepend,
        "The prefix, then the source. Null stays null.",
        &[
            example("Prepend(\"x-\", [login])", r#"{"login":"ada"}"#, r#""x-ada""#),
            example(r#"Prepend("x-", [login])"#, "{}", "null"),
            example(r#"Prepend("smtp:", [mails])"#, r#"{"mails":["a@x","b@x"]}"#, r#"["smtp:a@x","smtp:b@x"]"#),
        ],
    )
    .edges(&["Null stays null; a null prefix counts as empty.", "Applies to each value of a multi-valued attribute."]),
    entry(
        "Join",
        &[repeating(&[needed("separator", super::Kind::Text), needed("source", Any)], 1)],
        super::Kind::Text,
        join,
        "All sources with the separator between them. A multi-valued source gives each of its values; null \
         and empty ones are passed over with their separator. Null when every source is null.",
        &[
            example(
                "Join(\", \", [surname], [givenName])",
                r#"{"surname":"Doe","givenName":"John"}"#,
                r#""Doe, John""#,
            ),
            example("Join(\", \", [surname], [givenName])", r#"{"surname":"Doe","givenName":""}"#, r#""Doe""#),
            example("Join(\";\", [mails])", r#"{"mails":["a@x","b@x"]}"#, r#""a@x;b@x""#),
        ],
    )
    .edges(&[
        "A separator of null or \"\" puts nothing between the values.",
        "Empty sources only give an empty text; null sources only give null.",
        "The result has at most 1 MiB.",
    ]),
    entry(
        "Left",
        &[form(&[needed("string", Texts), needed("n", Integer)])],
        Texts,
        left,
        "The first n characters; all of them when there are fewer or n is negative. Null gives an empty text.",
        &[
            example("Left(\"John Doe\", 3)", "{}", r#""Joh""#),
            example("Left([a], 3)", "{}", r#""""#),
            example("Left(\"Zoë\", -1)", "{}", r#""Zoë""#),
        ],
    )
    .edges(&[
        "Characters are counted, not bytes: an accented letter is one.",
        "Applies to each value of a multi-valued attribute.",
        "A null number counts as 0.",
    ]),
    entry(
        "Right",
        &[form(&[needed("string", Texts), needed("n", Integer)])],
        Texts,
        right,
        "The last n characters; all of them when there are fewer or n is negative. Null gives an empty text.",
        &[
            example("Right(\"4471-ZRH\", 3)", "{}", r#""ZRH""#),
            example("Right([badge], 3)", r#"{"badge":"7"}"#, r#""7""#),
            example(r#"Right("Zoë", -1)"#, "{}", r#""Zoë""#),
        ],
    )
    .edges(&[
        "Characters are counted, not bytes: an accented letter is one.",
        "Applies to each value of a multi-valued attribute.",
    ])
    .ours(),
    entry(
        "Mid",
        &[form(&[needed("source", Texts), needed("start", Integer), needed("length", Integer)])],
        Texts,
        mid,
        "So many characters from the start, which is 1 or more. Beyond the end there is nothing: the result \
         is shorter, at last empty. Null stays null.",
        &[
            example("Mid([givenName], 1, 3)", r#"{"givenName":"Jonathan"}"#, r#""Jon""#),
            example("Mid([givenName], \"2\", \"20\")", r#"{"givenName":"Zoë"}"#, r#""oë""#),
            example("Mid([givenName], 9, 1)", r#"{"givenName":"Zoë"}"#, r#""""#),
        ],
    )
    .edges(&[
        "A start below 1, a negative length and a null for either are errors.",
        "A length beyond the end gives what is there.",
        "Characters are counted, not bytes.",
    ]),
    entry(
        "Trim",
        &[form(&[needed("value", Texts)])],
        Texts,
        trim,
        "Without white space at both ends; each value of a multi-valued attribute.",
        &[
            example("Trim(\" Test \")", "{}", r#""Test""#),
            example("Trim([a])", r#"{"a":[" x","y "]}"#, r#"["x","y"]"#),
            example("Trim([a])", r#"{"a":" \n "}"#, r#""""#),
        ],
    )
    .edges(&[
        "Null stays null; a text of white space alone becomes empty.",
        "All white space of Unicode counts, line breaks too; inside the text it stays.",
    ]),
    entry(
        "StripSpaces",
        &[form(&[needed("source", Texts)])],
        Texts,
        strip_spaces,
        "Without any blank (U+0020); other white space stays.",
        &[
            example("StripSpaces(\"van der Berg\")", "{}", r#""vanderBerg""#),
            example("StripSpaces([a])", r#"{"a":" a\tb "}"#, r#""a\tb""#),
            example("StripSpaces([phones])", r#"{"phones":["1 2","3 4"]}"#, r#"["12","34"]"#),
        ],
    )
    .edges(&[
        "Null stays null.",
        "Tabs, line breaks and no-break spaces stay.",
        "Applies to each value of a multi-valued attribute.",
    ]),
    entry(
        "Word",
        &[form(&[needed("string", Texts), needed("number", Integer), needed("delimiters", super::Kind::Text)])],
        Texts,
        word,
        "The word of this number, counted from 1. Each character of the delimiters separates words, several \
         together separate once. Empty when there are fewer words, for a number below 1 and for null.",
        &[
            example("Word(\"The quick brown fox\", 3, \" \")", "{}", r#""brown""#),
            example("Word(\"a,  b\", 2, \" ,\")", "{}", r#""b""#),
            example(r#"Word([name], 5, " ")"#, r#"{"name":"Ada Lovelace"}"#, r#""""#),
        ],
    )
    .edges(&[
        "A delimiter is a single character; the delimiters \" ,\" are two.",
        "Delimiters at the start do not make an empty word.",
        "Without delimiters the whole text is one word.",
    ]),
    entry(
        "CStr",
        &[form(&[needed("value", Texts)])],
        Texts,
        text_of,
        "The value as text: numbers in decimal, Booleans as True and False, a reference as its id.",
        &[
            example("CStr([active])", r#"{"active":true}"#, r#""True""#),
            example("CStr(12)", "{}", r#""12""#),
            example("CStr([n])", r#"{"n":[1,2.5]}"#, r#"["1","2.5"]"#),
        ],
    )
    .edges(&[
        "Null stays null; a text stays as it is.",
        "Each value of a list becomes a text.",
        "A complex value has no text: an error.",
    ]),
];

fn append<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let suffix = call.text(1)?;
    let suffix = suffix.as_deref().unwrap_or_default();
    call.map_text(0, |source| call.bounded(glue(&source, suffix)))
}

fn prepend<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let prefix = call.text(0)?;
    let prefix = prefix.as_deref().unwrap_or_default();
    call.map_text(1, |source| call.bounded(glue(prefix, &source)))
}

fn glue(first: &str, second: &str) -> Text {
    let mut text = Text::with_capacity(first.len() + second.len());
    text.push_str(first);
    text.push_str(second);
    text
}

fn join<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let separator = call.text(0)?;
    let separator = separator.as_deref().unwrap_or_default();
    let mut out = Text::default();
    let mut has_source = false;
    for at in 1..call.len() {
        call.for_each(at, |datum| {
            let Some(text) = call.as_str_of(at, datum)? else { return Ok(()) };
            has_source = true;
            if !text.is_empty() {
                if !out.is_empty() {
                    out.push_str(separator);
                }
                out.push_str(&text);
            }
            Ok(())
        })?;
    }
    if has_source { call.bounded(out) } else { Ok(NULL) }
}

/// `cut` gets the text and the number of characters.
fn ends<'a>(call: &Arguments<'_, 'a>, cut: fn(&str, usize) -> &str) -> Eval<'a> {
    let count = call.integer(1)?.unwrap_or(0);
    let piece = |text: Str<'a>| match usize::try_from(count) {
        Ok(count) => text.piece(|text| cut(text, count)),
        Err(_) => text,
    };
    let datum = call.map_text(0, |text| Ok(piece(text).into()))?;
    Ok(if datum.is_null() { Datum::text("") } else { datum })
}

fn left<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    ends(call, |text, count| &text[..offset(text, count)])
}

fn right<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    ends(call, |text, count| &text[offset(text, text.chars().count().saturating_sub(count))..])
}

fn mid<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let start = position(call, 1, 1)? - 1;
    let length = position(call, 2, 0)?;
    call.map_text(0, |text| {
        Ok(text
            .piece(|text| {
                let rest = &text[offset(text, start)..];
                &rest[..offset(rest, length)]
            })
            .into())
    })
}

/// A number that is at least `least`.
fn position(call: &Arguments<'_, '_>, at: usize, least: i64) -> Result<usize, Stop> {
    let number = call.needed_integer(at)?;
    if number < least {
        return Err(call.wrong(at, code::VALUE_RANGE, &format!("is less than {least}"), None));
    }
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// Where the character of this number starts, in bytes; the end when there are fewer.
fn offset(text: &str, characters: usize) -> usize {
    if text.is_ascii() {
        return characters.min(text.len());
    }
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

fn trim<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| Ok(text.piece(str::trim).into()))
}

fn strip_spaces<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| {
        if !text.contains(' ') {
            return Ok(text.into());
        }
        let mut out = Text::with_capacity(text.len());
        text.split(' ').for_each(|piece| out.push_str(piece));
        Ok(Datum::text(out))
    })
}

fn word<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let number = call.integer(1)?.unwrap_or(0);
    let delimiters = call.text(2)?;
    let delimiters = delimiters.as_deref().unwrap_or_default();
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    let datum = call.map_text(0, |text| {
        let pick = |text: &str| -> Option<std::ops::Range<usize>> {
            let word = text.split(|c| delimiters.contains(c)).filter(|word| !word.is_empty()).nth(index?)?;
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            Some(start..start + word.len())
        };
        let range = pick(&text).unwrap_or(0..0);
        Ok(text.piece(|text| &text[range]).into())
    })?;
    Ok(if datum.is_null() { Datum::text("") } else { datum })
}

fn text_of<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    match call.get(0)? {
        text @ (Datum::Slice(_) | Datum::Ref(Value::Text(_)) | Datum::Own(Value::Text(_))) => Ok(text),
        Datum::Ref(Value::List(_)) | Datum::Own(Value::List(_)) => call.map_text(0, |text| Ok(text.into())),
        single => Ok(call.as_str_of(0, single)?.map_or(NULL, Datum::from)),
    }
}
