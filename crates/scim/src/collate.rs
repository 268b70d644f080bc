//! How values compare: letter case by the attribute's `caseExact`, times as instants, user names after preparation.
//!
//! Filters, sorting, uniqueness and list elements all ask here, so that they agree (RFC 7643 section 2.2, 7644 3.4.2.2).

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use unicode_normalization::UnicodeNormalization;

/// The text to compare by: itself where case is exact, else in lower case.
pub fn fold(text: &str, exact: bool) -> Cow<'_, str> {
    if exact || text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.to_lowercase())
}

/// How texts of an attribute compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// Byte by byte.
    Exact,
    /// Without regard to letter case.
    AnyCase,
    /// As user names: [`username_key`].
    UserName,
}

impl Collation {
    /// The form in which texts are compared.
    pub fn key(self, text: &str) -> Cow<'_, str> {
        match self {
            Collation::Exact => Cow::Borrowed(text),
            Collation::UserName if !text.is_ascii() => Cow::Owned(username_key(text)),
            Collation::AnyCase | Collation::UserName => fold(text, false),
        }
    }
}

/// Whether two texts are equal under `caseExact`.
pub fn same_text(one: &str, other: &str, exact: bool) -> bool {
    one == other || (!exact && (one.eq_ignore_ascii_case(other) || fold(one, false) == fold(other, false)))
}

/// The form in which user names are unique: wide letters made narrow, lower case, composed (RFC 8265 section 3.3,
/// which replaced the RFC 7613 that RFC 7644 section 5 names).
pub fn username_key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let narrow = name.chars().map(|c| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    });
    narrow.flat_map(char::to_lowercase).nfc().collect()
}

/// The instant of an xsd:dateTime: date, `T`, time to the second, optional fraction and offset (none means UTC). `None` for
/// everything else, a date alone included (RFC 7643 section 2.3.5).
pub fn instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 19 && matches!(bytes[10], b'T' | b't') && bytes[13] == b':' && bytes[16] == b':';
    if !shaped || bytes.contains(&b'[') {
        return None;
    }
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_by_case_exact() {
        for (one, other, exact, want) in [
            ("Bjensen", "bjensen", false, true),
            ("Bjensen", "bjensen", true, false),
            ("ZOË", "zoë", false, true),
            ("STRASSE", "straße", false, false),
        ] {
            assert_eq!(same_text(one, other, exact), want, "{one} {other}");
        }
    }

    #[test]
    fn user_names_are_prepared() {
        assert_eq!(username_key("Ａda@Example.ORG"), "ada@example.org");
        assert_eq!(username_key("Zoe\u{308}"), username_key("ZO\u{cb}"));
    }

    #[test]
    fn instants_need_date_and_time() {
        let same =
            ["2011-05-13T04:42:34Z", "2011-05-13T06:42:34+02:00", "2011-05-13T04:42:34", "2011-05-13T04:42:34.000Z"];
        for text in same {
            assert_eq!(instant(text), instant(same[0]), "{text}");
            assert!(instant(text).is_some());
        }
        for text in
            ["2011-05-13", "2011-05-13 04:42:34Z", "04:42:34", "2011-13-13T04:42:34Z", "2011-05-13T04Z", "", "x"]
        {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
