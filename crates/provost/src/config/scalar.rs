//! From bytes of a text that YAML gave to the bytes of the document that wrote it: quotes are doubled or escaped there, lines
//! folded, blocks indented.
//!
//! The two are read side by side. Where they cannot be brought together the answer is nothing, never a wrong place.

use std::ops::Range;

/// The bytes of `raw`, a scalar as it stands in the document, that gave these bytes of its text.
pub fn range(raw: &str, text: &str, bytes: &Range<usize>) -> Option<Range<usize>> {
    let style = Style::of(raw);
    let mut at = style.start(raw);
    let (mut start, mut end) = (None, None);
    let mut wanted = text.char_indices().peekable();
    while let Some((offset, letter)) = wanted.next() {
        if offset >= bytes.end {
            break;
        }
        // Blanks are folded, indented and cut: one run here is one run there, of another length.
        if letter.is_whitespace() {
            let (run, blanks) = (at, style.blanks(&raw[at..]));
            at += blanks;
            while wanted.next_if(|(_, next)| next.is_whitespace()).is_some() {}
            if offset >= bytes.start {
                start.get_or_insert(run);
            }
            if blanks == 0 {
                return None;
            }
            continue;
        }
        at += style.joints(&raw[at..]);
        let length = style.letter(&raw[at..], letter)?;
        if offset >= bytes.start {
            start.get_or_insert(at);
            end = Some(at + length);
        }
        at += length;
    }
    match (start, end) {
        (Some(start), Some(end)) if start < end => Some(start..end),
        // Nothing but blanks, or the end of the text.
        (Some(start), _) => Some(start..start),
        (None, _) => Some(at..at),
    }
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` and `>`.
    Block,
}

impl Style {
    fn of(raw: &str) -> Self {
        match raw.trim_start().chars().next() {
            Some('\'') => Style::SingleQuoted,
            Some('"') => Style::DoubleQuoted,
            Some('|' | '>') => Style::Block,
            _ => Style::Plain,
        }
    }

    /// Where the text begins.
    fn start(self, raw: &str) -> usize {
        let blank = raw.len() - raw.trim_start().len();
        match self {
            Style::Plain => blank,
            Style::SingleQuoted | Style::DoubleQuoted => blank + 1,
            Style::Block => {
                let content = raw.find('\n').map_or(raw.len(), |at| at + 1);
                content + raw[content..].len() - raw[content..].trim_start().len()
            }
        }
    }

    /// Bytes of blank space, written as such or escaped.
    fn blanks(self, rest: &str) -> usize {
        let mut at = 0;
        loop {
            let left = &rest[at..];
            let blank = left.len() - left.trim_start().len();
            let escaped = match self {
                Style::DoubleQuoted
                    if ["\\n", "\\t", "\\ ", "\\r"].iter().any(|escape| left[blank..].starts_with(escape)) =>
                {
                    2
                }
                Style::DoubleQuoted if left[blank..].starts_with("\\\n") => 2,
                _ => 0,
            };
            if blank + escaped == 0 {
                return at;
            }
            at += blank + escaped;
        }
    }

    /// Bytes that join two lines of a double-quoted text without a blank: a backslash, the line's end, the indentation.
    fn joints(self, rest: &str) -> usize {
        match rest.strip_prefix("\\\n") {
            Some(next) if self == Style::DoubleQuoted => rest.len() - next.trim_start().len(),
            _ => 0,
        }
    }

    /// Bytes that stand for this letter.
    fn letter(self, rest: &str, letter: char) -> Option<usize> {
        if self == Style::SingleQuoted && letter == '\'' {
            return rest.starts_with("''").then_some(2);
        }
        if self == Style::DoubleQuoted && rest.starts_with('\\') {
            let kind = rest[1..].chars().next()?;
            let digits = match kind {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                same => return (same == letter).then(|| 1 + same.len_utf8()),
            };
            let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
            return (char::from_u32(code) == Some(letter)).then_some(2 + digits);
        }
        rest.starts_with(letter).then(|| letter.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The piece of the text is looked for in the scalar, and what the document has for it is compared.
    #[test]
    fn pieces_are_found_however_the_text_is_written() {
        for (raw, text, piece, written) in [
            ("Left([a], 1)", "Left([a], 1)", "[a]", "[a]"),
            ("'Join(\"''\", [b])'", "Join(\"'\", [b])", "[b]", "[b]"),
            ("'Join(\"''\", [b])'", "Join(\"'\", [b])", "\"'\"", "\"''\""),
            (r#""Join(\"@\", [b])""#, "Join(\"@\", [b])", "\"@\"", r#"\"@\""#),
            (r#""Join(\"@\", [b])""#, "Join(\"@\", [b])", "[b]", "[b]"),
            (r#""[caf\u00e9] & [b]""#, "[café] & [b]", "[café]", r"[caf\u00e9]"),
            (r#""a\n  [b]""#, "a\n  [b]", "[b]", "[b]"),
            ("\"Le\\\n   ft([b])\"", "Left([b])", "[b]", "[b]"),
            (">-\n    IIF([x],\n    [y])\n", "IIF([x], [y])", "[y]", "[y]"),
            ("|\n    IIF([x],\n      [y])\n", "IIF([x],\n  [y])\n", "[y]", "[y]"),
            (">\n  é [x]\n\n  [y]\n", "é [x]\n[y]\n", "[y]", "[y]"),
        ] {
            let at = text.find(piece).unwrap();
            let found = range(raw, text, &(at..at + piece.len())).unwrap();
            assert_eq!(&raw[found], written, "{raw}");
        }
        assert_eq!(range("abc", "abd", &(2..3)), None);
        assert_eq!(range("Left([a]", "Left([a]", &(8..8)), Some(8..8));
    }
}
