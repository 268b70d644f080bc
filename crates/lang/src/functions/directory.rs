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
        "The value of one part of a distinguished name, counted from 1 on the left. Empty when there are fewer parts.",
        &[
            example("DNComponent(\"CN=Ada\\\\, Dr,OU=Engines,DC=example\", 1)", "{}", r#""Ada, Dr""#),
            example("DNComponent(CRef([dn]), 2)", r#"{"dn":"CN=Ada,OU=Engines,DC=example"}"#, r#""Engines""#),
        ],
    ),
    entry(
        "CRef",
        &[form(&[needed("value", Kind::Any)])],
        Kind::Any,
        |call| call.get(0),
        "The value itself: here a reference is made by the type of the target attribute.",
        &[example("CRef([manager])", r#"{"manager":"7"}"#, r#""7""#)],
    ),
    entry(
        "DefaultDomain",
        &[form(&[])],
        Kind::Text,
        default_domain,
        "The default domain of the organisation, from the configuration.",
        &[],
    )
    .contextual()
    .prepared(|_, _, environment| Ok(Prepared::Domain(environment.default_domain().cloned()))),
];

fn component<'a>(call: &Arguments<'_, 'a>) -> Eval<'a> {
    let number = call.needed_integer(1)?;
    call.map_text(0, |dn| {
        let part = usize::try_from(number).ok().and_then(|number| parts(&dn).nth(number.checked_sub(1)?));
        let value = part.and_then(|part| part.split_once('=')).map_or("", |(_, value)| value.trim());
        Ok(Datum::text(unescape(value)))
    })
}

/// The relative names of a distinguished name; a comma behind a backslash belongs to the value (RFC 4514 section 2.4).
fn parts(dn: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    dn.split(move |c| {
        let ends = c == ',' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })
}

/// `\,` and `\2C`.
fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
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
