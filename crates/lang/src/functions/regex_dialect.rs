//! .NET's regular expressions on Rust's engine, which takes linear time whatever the pattern.
//!
//! The dialects agree on most; this module translates where they differ and leaves the rest alone. Look-around and back
//! references need backtracking and are refused.

use regex::{Captures, Regex, RegexBuilder};

/// The engine refuses patterns whose program would be larger.
const MAX_PROGRAM_BYTES: usize = 1 << 20;

/// A compiled pattern, or why it is none.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    build(&translate(pattern))
}

/// Like [`compile`], for a pattern that must match the whole text.
pub(crate) fn compile_whole(pattern: &str) -> Result<Regex, String> {
    compile(pattern)?;
    build(&format!(r"\A(?:{})\z", translate(pattern)))
}

fn build(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern).size_limit(MAX_PROGRAM_BYTES).dfa_size_limit(MAX_PROGRAM_BYTES).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        // The last line of the engine's drawing says why.
        other => {
            let text = other.to_string();
            let reason = text.lines().last().unwrap_or_default();
            reason.trim_start_matches("error: ").to_owned()
        }
    })
}

/// Group syntax with quotes, `\Z`, escapes of ordinary characters, and characters that Rust gives a meaning in classes.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut is_class_start = false;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        let was_class_start = std::mem::replace(&mut is_class_start, false);
        match c {
            '\\' => match tail.chars().next() {
                Some('Z') => out.push_str("(?:\\n?\\z)"),
                Some('e') => out.push_str("\\x1B"),
                Some(escaped @ ('<' | '>')) => out.push(escaped),
                Some(escaped) if !escaped.is_ascii() => out.push(escaped),
                Some(escaped) => out.extend(['\\', escaped]),
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                is_class_start = true;
                out.push('[');
            }
            '^' if was_class_start => {
                is_class_start = true;
                out.push('^');
            }
            // A bracket that opens a class may be followed by a literal `]`.
            ']' if was_class_start => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            '(' if !in_class && tail.starts_with("?'") => match tail[2..].split_once('\'') {
                Some((name, after)) => {
                    out.push_str("(?<");
                    out.push_str(name);
                    out.push('>');
                    rest = after;
                    continue;
                }
                None => out.push(c),
            },
            other => out.push(other),
        }
        let escaped = if c == '\\' { tail.chars().next().map_or(0, char::len_utf8) } else { 0 };
        rest = &tail[escaped..];
    }
    out
}

/// A replacement text: literals and references to groups.
#[derive(Debug, Clone)]
pub(crate) struct Replacement(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    Group(usize),
}

impl Replacement {
    /// `$1`, `${1}`, `${name}`, `$&` and `$$` as in .NET, where a reference to a group that is not there is literal.
    pub(crate) fn parse(text: &str, regex: &Regex) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            let named = tail.strip_prefix('{').and_then(|tail| tail.split_once('}'));
            let (group, length) = if digits > 0 {
                (number(&tail[..digits], regex), digits)
            } else if let Some((name, _)) = named {
                (group(name, regex), name.len() + 2)
            } else if tail.starts_with(['&', '$']) {
                (tail.starts_with('&').then_some(0), 1)
            } else {
                (None, 0)
            };
            match group {
                Some(group) => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(Piece::Group(group));
                }
                None if tail.starts_with('$') => literal.push('$'),
                None => literal.push_str(&rest[at..at + 1 + length]),
            }
            rest = &tail[length..];
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        Self(pieces)
    }

    /// Appends the replacement of one match.
    pub(crate) fn expand(&self, captures: &Captures<'_>, out: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Group(group) => out.push_str(captures.get(*group).map_or("", |found| found.as_str())),
            }
        }
    }
}

/// The group of this name or number.
pub(crate) fn group(name: &str, regex: &Regex) -> Option<usize> {
    regex.capture_names().position(|known| known == Some(name)).or_else(|| number(name, regex))
}

/// .NET counts the groups without a name first, then those with one.
fn number(digits: &str, regex: &Regex) -> Option<usize> {
    let wanted: usize = digits.parse().ok()?;
    if wanted == 0 {
        return Some(0);
    }
    let named = |with: bool| regex.capture_names().enumerate().skip(1).filter(move |(_, name)| name.is_some() == with);
    named(false).chain(named(true)).nth(wanted - 1).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_dialect_of_net() {
        for (pattern, text, matches) in [
            (r"(?<a>x)(?'b'y)", "xy", true),
            (r"^[][a]+$", "][a", true),
            (r"^[^]]+$", "]", false),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[a[b]$", "[", true),
            (r"\<a\>", "<a>", true),
            (r"^\ü$", "ü", true),
            (r"a\Z", "a\n", true),
            (r"[x]\d{2}", "x12", true),
        ] {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text}");
        }
        assert!(compile("(?=x)").unwrap_err().contains("look-around"));
        assert!(compile("(a)\\1").unwrap_err().contains("backreferences"));
        assert!(compile("(").unwrap_err().contains("unclosed group"));
        assert!(compile("a{1000}{1000}").is_err());
        assert!(compile_whole("a)|(b").is_err(), "no way out of the group around a whole-value pattern");
        assert!(!compile_whole("a|b").unwrap().is_match("ab"));
    }

    #[test]
    fn replacements_refer_to_groups_as_in_net() {
        let regex = compile("(?<n>[a-z])([0-9])").unwrap();
        let captures = regex.captures("x7").unwrap();
        for (text, want) in [
            ("${n}", "x"),
            ("$1", "7"),
            ("$2", "x"),
            ("$1a", "7a"),
            ("$&!", "x7!"),
            ("$$1", "$1"),
            ("$9", "$9"),
            ("${no}", "${no}"),
            ("$", "$"),
            ("a$b{c}", "a$b{c}"),
            ("${n", "${n"),
        ] {
            let mut out = String::new();
            Replacement::parse(text, &regex).expand(&captures, &mut out);
            assert_eq!(out, want, "{text}");
        }
    }
}
