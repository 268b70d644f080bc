//! Words of a filter with their places. Never fails: what is no word is a [`Token::Stray`].

use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, keyword, number or path piece: anything up to a blank, bracket, quote or comma.
    Word(String),
    /// `[display name]`, an attribute in the mapping language's notation.
    Bracketed(String),
    /// What stands between quotes, escapes and all: what they mean depends on the operator.
    Text(String),
    Open,
    Close,
    OpenSquare,
    CloseSquare,
    Comma,
    /// A text or bracket without its end, up to the end of the source.
    Stray(String),
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Lexed {
    pub token: Token,
    pub span: Range<usize>,
    /// Whether the token touches the one before it, as `[` does in `emails[type eq "work"].value`.
    pub glued: bool,
}

pub(super) fn lex(source: &str) -> Vec<Lexed> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut previous_end = usize::MAX;
    // A bracket right after a name opens a value filter; anywhere else it holds a name.
    let mut after_name = false;
    while let Some(first) = source[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &source[at..];
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            ']' => (Token::CloseSquare, 1),
            '[' if previous_end == at && after_name => (Token::OpenSquare, 1),
            '[' => bracketed(rest),
            '"' => text(rest),
            _ => word(rest),
        };
        after_name = matches!(token, Token::Word(_));
        tokens.push(Lexed { token, span: at..at + length, glued: previous_end == at });
        at += length;
        previous_end = at;
    }
    tokens.push(Lexed { token: Token::End, span: source.len()..source.len(), glued: false });
    tokens
}

/// `[name]` at the start of a term is an attribute in brackets, as in the mapping language. A value filter in it has
/// brackets of its own, in which quotes hide what looks like one.
fn bracketed(rest: &str) -> (Token, usize) {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if depth > 1 => quoted = !quoted,
            _ if quoted => {}
            '[' => depth += 1,
            ']' if depth > 1 => depth -= 1,
            ']' => return (Token::Bracketed(rest[1..at].to_owned()), at + 1),
            _ => {}
        }
    }
    (Token::Stray(rest.to_owned()), rest.len())
}

fn text(rest: &str) -> (Token, usize) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (Token::Text(rest[1..at].to_owned()), at + 1),
            _ => {}
        }
    }
    (Token::Stray(rest.to_owned()), rest.len())
}

fn word(rest: &str) -> (Token, usize) {
    let end = rest.find(|c: char| c.is_whitespace() || "()[]\",".contains(c)).unwrap_or(rest.len());
    (Token::Word(rest[..end].to_owned()), end)
}
