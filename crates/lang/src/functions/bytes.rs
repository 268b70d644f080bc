//! Texts as bytes. Binary attributes travel as Base64 text, as everywhere in Provost.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost_model::Text;

use super::Kind::{self, Texts};
use super::{Function, entry, example, form, needed, optional};
use crate::datum::Datum;
use crate::error::code;
use crate::program::{Arguments, Eval};

const ENCODING: Kind = Kind::Word(&["Unicode", "ASCII", "UTF8"]);

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "ConvertFromBase64",
        &[form(&[needed("source", Texts), optional("encoding", ENCODING)])],
        Texts,
        from_base64,
        "The text of Base64 bytes, which are UTF-16 (`Unicode`, the default), `UTF8` or `ASCII`.",
        &[
            example("ConvertFromBase64(\"SABlAGwAbABvACAAdwBvAHIAbABkACEA\")", "{}", r#""Hello world!""#),
            example("ConvertFromBase64(\"SGVsbG8gd29ybGQh\", UTF8)", "{}", r#""Hello world!""#),
            example(
                r#"ConvertFromBase64("/w==", ASCII)"#,
                "{}",
                "PRV-0221: ConvertFromBase64: `source` is no ASCII text",
            ),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "What is no Base64 is an error.",
        "Bytes that are no text of the encoding are an error; .NET puts question marks in their place.",
    ]),
    entry(
        "ConvertToBase64",
        &[form(&[needed("source", Texts)])],
        Texts,
        to_base64,
        "The Base64 of the text's UTF-16 bytes.",
        &[
            example("ConvertToBase64(\"Hello world!\")", "{}", r#""SABlAGwAbABvACAAdwBvAHIAbABkACEA""#),
            example("ConvertToBase64([a])", "{}", "null"),
            example("ConvertFromBase64(ConvertToBase64([a]))", r#"{"a":"Zoë"}"#, r#""Zoë""#),
        ],
    )
    .edges(&["Null stays null; each value of a multi-valued attribute.", "Always UTF-16, as in Entra."]),
    entry(
        "ConvertToUTF8Hex",
        &[form(&[needed("source", Texts)])],
        Texts,
        to_hex,
        "The text's UTF-8 bytes in hexadecimal.",
        &[
            example("ConvertToUTF8Hex(\"Zoë\")", "{}", r#""5A6FC3AB""#),
            example(r#"ConvertToUTF8Hex("")"#, "{}", r#""""#),
            example("ConvertToUTF8Hex([a])", r#"{"a":["A","B"]}"#, r#"["41","42"]"#),
        ],
    )
    .edges(&["Null stays null; each value of a multi-valued attribute.", "Capital letters, two digits a byte."]),
    entry(
        "StringFromSid",
        &[form(&[needed("objectSID", Texts)])],
        Texts,
        sid,
        "The text of a security identifier, which is given as Base64 bytes.",
        &[
            example(
                "StringFromSid(\"AQUAAAAAAAUVAAAAoGXPfnhLm1/nfIdwUAQAAA==\")",
                "{}",
                r#""S-1-5-21-2127521184-1604012920-1887927527-1104""#,
            ),
            example(r#"StringFromSid("AQEAAAAAAAUSAAAA")"#, "{}", r#""S-1-5-18""#),
            example(r#"StringFromSid("AQ==")"#, "{}", "PRV-0221: StringFromSid: `objectSID` is no security identifier"),
        ],
    )
    .edges(&["Null stays null; each value of a multi-valued attribute.", "Bytes that are no identifier are an error."]),
];

fn decode(call: &Arguments<'_, '_>, text: &str) -> Result<Vec<u8>, crate::program::Stop> {
    STANDARD.decode(text.trim()).map_err(|_| call.wrong(0, code::VALUE_TEXT, "is no Base64", Some(Text::from(text))))
}

fn from_base64<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let encoding = call.text(1)?;
    let encoding = encoding.as_deref().unwrap_or("Unicode");
    call.map_text(0, |text| {
        let bytes = decode(call, &text)?;
        let text = if encoding.eq_ignore_ascii_case("Unicode") {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        } else if encoding.eq_ignore_ascii_case("UTF8") || bytes.is_ascii() {
            String::from_utf8(bytes).ok()
        } else {
            None
        };
        match text {
            Some(text) => Ok(Datum::text(text)),
            None => Err(call
                .wrong(0, code::VALUE_TEXT, &format!("is no {encoding} text"), None)
                .hint("name the encoding: ConvertFromBase64(source, UTF8)")),
        }
    })
}

fn to_base64<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        call.bounded(STANDARD.encode(bytes).into())
    })
}

fn to_hex<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| {
        let mut out = Text::with_capacity(text.len() * 2);
        for byte in text.bytes() {
            // Writing into a text cannot fail.
            let _ = write!(out, "{byte:02X}");
        }
        call.bounded(out)
    })
}

/// [MS-DTYP] section 2.4.2: revision, count, six bytes of authority, then 32-bit little-endian sub-authorities.
fn sid<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    call.map_text(0, |text| {
        let bytes = decode(call, &text)?;
        let wrong = || call.wrong(0, code::VALUE_TEXT, "is no security identifier", None);
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (parts, left) = rest.as_chunks::<4>();
        if !left.is_empty() || parts.len() != usize::from(head[1]) {
            return Err(wrong());
        }
        let authority = head[2..].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let mut out = compact_str::format_compact!("S-{}-{authority}", head[0]);
        for part in parts {
            // Writing into a text cannot fail.
            let _ = write!(out, "-{}", u32::from_le_bytes(*part));
        }
        Ok(Datum::text(out))
    })
}
