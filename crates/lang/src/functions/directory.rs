//! What only directories know: distinguished names, references, the default domain.

use super::Kind::{self, Integer, Texts};
use super::{Function, entry, example, form, needed};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::program::{Arguments, Eval, Prepared};

pub(super) const FUNCTIONS: &[Function] = &[
    entry(
        "DNComponent",
        &[form(&[needed("dn", Texts), needed("number", Integer)])],
        Texts,
        component,
        "The value of one part of a distinguished name, counted from 1 on the left. Empty when there are \
         fewer parts.",
        &[
            example("DNComponent(\"CN=Ada\\\\, Dr,OU=Engines,DC=example\", 1)", "{}", r#""Ada, Dr""#),
            example("DNComponent(CRef([dn]), 2)", r#"{"dn":"CN=Ada,OU=Engines,DC=example"}"#, r#""Engines""#),
            example("DNComponent([dn], 5)", r#"{"dn":"CN=Ada,DC=example"}"#, r#""""#),
            example("DNComponent([dn], 1)", r#"{"dn":"CN=Ada+UID=7,DC=example"}"#, r#""Ada""#),
        ],
    )
    .edges(&[
        "Null stays null; each value of a multi-valued attribute.",
        "Escaped commas belong to the value; escapes are undone.",
        "Of a part with several attributes (CN=Ada+UID=7) the first one's value.",
    ]),
    entry(
        "CRef",
        &[form(&[needed("value", Kind::Any)])],
        Kind::Any,
        |call| call.get(0),
        "The value itself: here a reference is made by the type of the target attribute.",
        &[
            example("CRef([manager])", r#"{"manager":"7"}"#, r#""7""#),
            example("CRef([manager])", "{}", "null"),
            example("CRef([owners])", r#"{"owners":["7","8"]}"#, r#"["7","8"]"#),
        ],
    )
    .edges(&["Null stays null.", "A text is made a reference only where the target attribute is one."]),
    entry(
        "DefaultDomain",
        &[form(&[])],
        Kind::Text,
        default_domain,
        "The default domain of the organisation, from the configuration.",
        &[
            example("DefaultDomain()", "{}", r#""contoso.com""#).domain("contoso.com"),
            example(r#"Join("@", [login], DefaultDomain())"#, r#"{"login":"ada"}"#, r#""ada@contoso.com""#)
                .domain("contoso.com"),
            example("DefaultDomain()", "{}", "PRV-0225: DefaultDomain: no default domain is configured"),
        ],
    )
    .edges(&[
        "Without a configured domain the object fails.",
        "The domain is one of the organisation, not of the target.",
    ])
    .contextual()
    .prepared(|_, _, environment| Ok(Prepared::Domain(environment.default_domain().cloned()))),
];

fn component<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let number = call.needed_integer(1)?;
    call.map_text(0, |dn| {
        let part = usize::try_from(number).ok().and_then(|number| parts(&dn, ',').nth(number.checked_sub(1)?));
        // `CN=Ada+UID=7` is one part with two attributes.
        let first = part.and_then(|part| parts(part, '+').next());
        let value = first.and_then(|first| first.split_once('=')).map_or("", |(_, value)| value.trim());
        Ok(Datum::text(unescape(value)))
    })
}

/// The pieces between separators; one behind a backslash (RFC 4514 section 2.4) or in quotes (RFC 2253) belongs to the
/// value.
fn parts(dn: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_escaped, mut is_quoted) = (false, false);
    dn.split(move |c| {
        let is_plain = !is_escaped;
        is_quoted ^= c == '"' && is_plain;
        is_escaped = c == '\\' && is_plain;
        c == separator && is_plain && !is_quoted
    })
}

/// `\,` and `\2C`.
fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let value = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |range: std::ops::Range<usize>| {
            let digits = std::str::from_utf8(after.get(range)?).ok()?;
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
            u8::from_str_radix(digits, 16).ok()
        };
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
        } else if let Some(escaped) = hex(0..2) {
            bytes.push(escaped);
            rest = &after[2..];
        } else if let Some((&next, after)) = after.split_first() {
            bytes.push(next);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn default_domain<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let configured = match call.prepared() {
        Prepared::Domain(Some(domain)) => Some(domain.as_str()),
        _ => None,
    };
    match call.context().default_domain.or(configured) {
        Some("") => Ok(NULL),
        Some(domain) => Ok(Datum::Slice(domain)),
        None => Err(call
            .fail(code::NOT_CONFIGURED, "no default domain is configured")
            .hint("set `default_domain` in the configuration")),
    }
}
