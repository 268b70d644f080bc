//! Any script in ASCII letters, for logins and addresses. A companion of NormalizeDiacritics, which keeps other scripts.

use super::Kind::Texts;
use super::{Function, diacritics, entry, example, form, needed};
use crate::program::{Arguments, Eval};

pub(super) const FUNCTIONS: &[Function] = &[entry(
    "Transliterate",
    &[form(&[needed("source", Texts)])],
    Texts,
    transliterate,
    "The text in ASCII: accents go as with NormalizeDiacritics, and letters of other scripts become Latin \
         ones that sound alike. For readable logins; two names may become one, so never use the result as a \
         key.",
    &[
        example("Transliterate(\"Иван Жуков\")", "{}", r#""Ivan Zhukov""#),
        example("Transliterate(\"山田 太郎\")", "{}", r#""Shan Tian Tai Lang""#),
        example("Transliterate(\"Þórður Müller-Østby\")", "{}", r#""Thordur Muller-OEstby""#),
        example("Transliterate([names])", r#"{"names":["Γιώργος","Zoë"]}"#, r#"["Giorgos","Zoe"]"#),
    ],
)
.edges(&[
    "Null stays null; each value of a multi-valued attribute.",
    "ASCII text is left as it is.",
    "Chinese characters are read in Mandarin, a syllable each with a blank between them, Japanese names \
         too.",
    "Characters without a Latin form are left out, so that the result may be empty.",
])
.ours()];

fn transliterate<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| {
        if text.is_ascii() {
            return Ok(text.into());
        }
        let latin = deunicode::deunicode_with_tofu(&diacritics::without_marks(&text), "");
        // Each Chinese character brings a blank for the next one.
        let ends_in_blank = text.ends_with(char::is_whitespace);
        call.bounded(if ends_in_blank { latin.into() } else { latin.trim_end().into() })
    })
}
