//! Letter case, by simple mappings of single characters as .NET's invariant culture has them: `ß` keeps its one letter.

use provost_model::Text;
use unicode_normalization::char::is_combining_mark;

use super::Kind::{self, Texts};
use super::{Function, entry, example, form, needed, optional};
use crate::datum::{Datum, Str};
use crate::program::{Arguments, Eval};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "ToLower",
        &[form(&[needed("source", Texts), optional("culture", Kind::Text)])],
        Texts,
        lower,
        "In lower case, by the invariant culture or the rules of the named one (`tr-TR` has a dotless i).",
        &[
            example("ToLower([mail])", r#"{"mail":"Ada@Example.ORG"}"#, r#""ada@example.org""#),
            example("ToLower(\"DIYARBAKIR\", \"tr-TR\")", "{}", r#""dıyarbakır""#),
            example("ToLower([tags])", r#"{"tags":["A","É"]}"#, r#"["a","é"]"#),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "Only cultures whose letters differ matter: those of Turkish and Azerbaijani.",
        "One letter stays one letter.",
        "A target that compares in any letter case does not see the change as one; `caseExact` on its \
         attribute does.",
    ]),
    entry(
        "ToUpper",
        &[form(&[needed("source", Texts), optional("culture", Kind::Text)])],
        Texts,
        upper,
        "In upper case, by the invariant culture or the rules of the named one.",
        &[
            example("ToUpper([country])", r#"{"country":"ch"}"#, r#""CH""#),
            example("ToUpper(\"Straße\")", "{}", r#""STRAßE""#),
            example(r#"ToUpper("izmir", "tr-TR")"#, "{}", r#""İZMİR""#),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "One letter stays one letter: ß has no capital here.",
        "`tr-TR` and `az-AZ` make İ of i.",
    ]),
    entry(
        "PCase",
        &[form(&[needed("source", Texts), optional("wordSeparators", Kind::Text)])],
        Texts,
        proper,
        "Each word with one capital first. Words end at any blank, punctuation, symbol or control character \
         except the apostrophe, as .NET's ToTitleCase has it; or, when given, only at the word separators.",
        &[
            example("PCase([name])", r#"{"name":"PABLO GONSALVES (SECOND)"}"#, r#""Pablo Gonsalves (Second)""#),
            example("PCase(\"ADAMS-O'CONNOR\")", "{}", r#""Adams-O'connor""#),
            example("PCase(\"ADAMS-O'CONNOR\", \" ,-'\")", "{}", r#""Adams-O'Connor""#),
            example("PCase(\"anna-lena KLEIN\", \" \")", "{}", r#""Anna-lena Klein""#),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "Digits do not begin a word, the letter behind them does.",
        "Names such as McKay lose their inner capital.",
    ]),
];

fn is_turkic(call: &Arguments<'_, '_>) -> Result<bool, crate::program::Stop> {
    let culture = call.text(1)?;
    let language = culture.as_deref().unwrap_or_default().split(['-', '_']).next().unwrap_or_default();
    Ok(language.eq_ignore_ascii_case("tr") || language.eq_ignore_ascii_case("az"))
}

fn lower<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let is_turkic = call.is_given(1) && is_turkic(call)?;
    call.map_text(0, |text| {
        Ok(change(text, |c| match c {
            'I' if is_turkic => 'ı',
            'İ' if is_turkic => 'i',
            c => simple_lower(c),
        }))
    })
}

fn upper<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let is_turkic = call.is_given(1) && is_turkic(call)?;
    call.map_text(0, |text| {
        Ok(change(text, |c| match c {
            'i' if is_turkic => 'İ',
            c => simple_upper(c),
        }))
    })
}

/// A text that is right already is passed on.
fn change<'a>(text: Str<'a>, map: impl Fn(char) -> char) -> Datum<'a> {
    let Some(first) = text.char_indices().find(|(_, c)| map(*c) != *c).map(|(at, _)| at) else { return text.into() };
    let mut out = Text::with_capacity(text.len());
    out.push_str(&text[..first]);
    out.extend(text[first..].chars().map(map));
    Datum::text(out)
}

fn simple_lower(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn simple_upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn proper<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let separators = call.text(1)?;
    call.map_text(0, |text| {
        let mut out = Text::with_capacity(text.len());
        let mut in_word = false;
        for c in text.chars() {
            let breaks = match &separators {
                Some(separators) => separators.contains(c),
                None => !(c.is_alphanumeric() || is_combining_mark(c) || (in_word && c == '\'')),
            };
            out.push(if in_word { simple_lower(c) } else { simple_upper(c) });
            in_word = !breaks && (in_word || c.is_alphabetic());
        }
        Ok(Datum::text(out))
    })
}
