//! Accented letters to base letters, for names in addresses. German umlauts lose their dots and do not become ae, oe, ue.

use provost_model::Text;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Kind::Texts;
use super::{Function, entry, example, form, needed};
use crate::datum::Datum;
use crate::program::{Arguments, Eval};

const ABOUT: &str = "Latin letters without their accents, in their case: é to e, ß to ss, æ to ae, ø and œ to oe, ł to l, ı to i. \
                     Other scripts, hyphens and apostrophes stay.";

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "NormalizeDiacritics",
        &[form(&[needed("source", Texts)])],
        Texts,
        normalize,
        ABOUT,
        &[
            example("NormalizeDiacritics(\"Zoë Müller-Strauß\")", "{}", r#""Zoe Muller-Strauss""#),
            example("NormalizeDiacritics(\"ŁÓDŹ Ægir ØRSTED\")", "{}", r#""LODZ AEgir OERSTED""#),
            example("NormalizeDiacritics(\"Иван 山田\")", "{}", r#""Иван 山田""#),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "German umlauts lose their dots; write Replace for ae, oe and ue.",
        "Letters with a stroke lose it as well (đ to d, ħ to h), which Entra does not document.",
        "Combining marks behind a Latin letter go, too.",
        "Other scripts stay: Transliterate takes them.",
    ]),
    entry(
        "RemoveDiacritics",
        &[form(&[needed("source", Texts)])],
        Texts,
        normalize,
        "The name that cloud sync uses for NormalizeDiacritics.",
        &[
            example("RemoveDiacritics(\"Renée\")", "{}", r#""Renee""#),
            example("RemoveDiacritics([a])", "{}", "null"),
            example("RemoveDiacritics([names])", r#"{"names":["Đorđe","José"]}"#, r#"["Dorde","Jose"]"#),
        ],
    )
    .edges(&["The same as NormalizeDiacritics in every respect."]),
];

fn normalize<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| if text.is_ascii() { Ok(text.into()) } else { Ok(Datum::text(without_marks(&text))) })
}

/// The text with its Latin letters bare.
pub(super) fn without_marks(text: &str) -> Text {
    let mut out = Text::with_capacity(text.len());
    let mut after_latin = false;
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            after_latin = c.is_ascii_alphabetic();
        } else if let Some(letters) = special(c) {
            out.push_str(letters);
            after_latin = true;
        } else if let Some(base) = base(c) {
            out.push_str(base.encode_utf8(&mut [0; 4]));
            after_latin = true;
        } else if !(after_latin && is_combining_mark(c)) {
            out.push(c);
            after_latin = false;
        }
    }
    out
}

/// Letters that Unicode does not take apart.
fn special(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'ẞ' => "SS",
        'æ' | 'ǣ' | 'ǽ' => "ae",
        'Æ' | 'Ǣ' | 'Ǽ' => "AE",
        'ø' | 'œ' | 'ǿ' => "oe",
        'Ø' | 'Œ' | 'Ǿ' => "OE",
        'ł' => "l",
        'Ł' => "L",
        'ı' | 'ɨ' => "i",
        'Ɨ' => "I",
        'ȷ' => "j",
        'đ' => "d",
        'Đ' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ƀ' => "b",
        'Ƀ' => "B",
        'ǥ' => "g",
        'Ǥ' => "G",
        _ => return None,
    })
}

/// The Latin letter under its marks.
fn base(c: char) -> Option<char> {
    let mut parts = std::iter::once(c).nfd();
    let base = parts.next().filter(char::is_ascii_alphabetic)?;
    parts.all(is_combining_mark).then_some(base)
}
