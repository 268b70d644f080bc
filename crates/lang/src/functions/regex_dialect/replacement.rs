//! Replacement texts: literals and references to what was matched.

use regex::{Captures, Regex};

use super::{group, in_order, numbered};
use crate::MAX_TEXT;

/// A replacement text, read once.
#[derive(Debug, Clone)]
pub(crate) struct Replacement(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Group(usize),
    /// `` $` ``: what stands before the match.
    Before,
    /// `$'`: what stands behind the match.
    Behind,
    /// `$_`: the whole source.
    Source,
}

impl Replacement {
    /// `$1`, `${1}`, `${name}`, `$&`, `` $` ``, `$'`, `$+` (the last group), `$_` and `$$` as in .NET, where a reference
    /// to a group that is not there is literal.
    pub(crate) fn parse(text: &str, regex: &Regex) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            let (piece, length) = reference(tail, regex);
            match piece {
                Some(Piece::Literal(text)) => literal.push_str(&text),
                Some(piece) => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(piece);
                }
                None => literal.push_str(&rest[at..at + 1 + length]),
            }
            rest = &tail[length..];
        }
        literal.push_str(rest);
        pieces.push(Piece::Literal(literal));
        Self(pieces)
    }

    /// Appends the replacement of one match in `source`. Stops when the result is too long anyway.
    pub(crate) fn expand(&self, source: &str, captures: &Captures<'_>, out: &mut String) {
        let whole = captures.get_match();
        for piece in &self.0 {
            out.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Group(group) => captures.get(*group).map_or("", |found| found.as_str()),
                Piece::Before => &source[..whole.start()],
                Piece::Behind => &source[whole.end()..],
                Piece::Source => source,
            });
            if out.len() > MAX_TEXT {
                return;
            }
        }
    }
}

/// What stands behind a dollar sign, and how long it is. `None` is no reference.
fn reference(tail: &str, regex: &Regex) -> (Option<Piece>, usize) {
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        return (numbered(&tail[..digits], regex).map(Piece::Group), digits);
    }
    if let Some((name, _)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
        return (group(name, regex).map(Piece::Group), name.len() + 2);
    }
    let piece = match tail.chars().next() {
        Some('&') => Piece::Group(0),
        Some('$') => Piece::Literal("$".to_owned()),
        Some('`') => Piece::Before,
        Some('\'') => Piece::Behind,
        Some('_') => Piece::Source,
        Some('+') => Piece::Group(in_order(regex).last().unwrap_or(0)),
        _ => return (None, 0),
    };
    (Some(piece), 1)
}
