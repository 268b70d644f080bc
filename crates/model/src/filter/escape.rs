//! What a backslash means between quotes, and its reverse for the printer.
//!
//! Texts have JSON's escapes, as RFC 7644 asks. A regular expression is full of backslashes of its own (`\d`, `\b`, `\.`), and
//! whoever types one does not think of JSON: there only `\"` and `\\` are escapes. In both, a backslash that escapes nothing
//! stands for itself.

use std::fmt;

/// A text: JSON's escapes.
pub(super) fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (c, length) = escape(&rest[at..]).unwrap_or(('\\', 1));
        out.push(c);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// The character of the escape at the start, and the length of the escape.
fn escape(text: &str) -> Option<(char, usize)> {
    let c = match text.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((c, 2))
}

/// `\u0041`, or two of them for a character beyond the first 65,536.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 6));
    }
    let pair = [first, unit(text.get(6..)?)?];
    let c = char::decode_utf16(pair).next()?.ok()?;
    Some((c, 12))
}

/// A regular expression: `\"` and `\\` alone.
pub(super) fn pattern(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => chars.next_if(|next| matches!(next, '"' | '\\')).unwrap_or('\\'),
            other => other,
        });
    }
    out
}

/// Prints a regular expression so that [`pattern`] reads it back.
pub(super) fn print_pattern(f: &mut fmt::Formatter<'_>, pattern: &str) -> fmt::Result {
    write!(f, "\"{}\"", pattern.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_have_the_escapes_of_json_and_patterns_two() {
        for (raw, text, pattern) in [
            (r#"q\"uo\\te"#, "q\"uo\\te", "q\"uo\\te"),
            (r"\bSales.*", "\u{8}Sales.*", r"\bSales.*"),
            (r"\bSales\w.*", "\u{8}Sales\\w.*", r"\bSales\w.*"),
            (r"\\d\d\\\\", r"\d\d\\", r"\d\d\\"),
            (r"\u00e9\uD83D\uDE00\uD83D\u12", "\u{e9}\u{1f600}\\uD83D\\u12", r"\u00e9\uD83D\uDE00\uD83D\u12"),
            (r"\u+123\ué", r"\u+123\ué", r"\u+123\ué"),
            (r"a\", "a\\", "a\\"),
        ] {
            assert_eq!(super::text(raw), text, "{raw}");
            assert_eq!(super::pattern(raw), pattern, "{raw}");
        }
    }
}
