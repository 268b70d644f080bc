//! Words of a filter with their places. Never fails: what is no word is a [`Token::Stray`].

use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, keyword, number or path piece: anything up to a blank, bracket, quote or comma.
    Word(String),
    /// `[display name]`, an attribute in the mapping language's notation.
    Bracketed(String),
    Text(String),
    Open,
    Close,
    OpenSquare,
    CloseSquare,
    Comma,
    /// A character that starts no token, or a text without its closing quote.
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
            '[' if previous_end != at => bracketed(rest),
            '[' => (Token::OpenSquare, 1),
            '"' => text(rest),
            _ => word(rest),
        };
        tokens.push(Lexed { token, span: at..at + length, glued: previous_end == at });
        at += length;
        previous_end = at;
    }
    tokens.push(Lexed { token: Token::End, span: source.len()..source.len(), glued: false });
    tokens
}

/// `[name]` at the start of a term is an attribute in brackets, as in the mapping language.
fn bracketed(rest: &str) -> (Token, usize) {
    match rest.find(']') {
        Some(end) if !rest[1..end].contains('[') => (Token::Bracketed(rest[1..end].to_owned()), end + 1),
        _ => (Token::Stray("[".into()), 1),
    }
}

/// A JSON string; the escapes are JSON's, since that is what RFC 7644 asks for.
fn text(rest: &str) -> (Token, usize) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let literal = &rest[..=at];
                return match serde_json::from_str(literal) {
                    Ok(text) => (Token::Text(text), at + 1),
                    // A lone backslash, as in a regular expression: keep it as it stands.
                    Err(_) => (Token::Text(unescape(&literal[1..at])), at + 1),
                };
            }
            _ => {}
        }
    }
    (Token::Stray(rest.to_owned()), rest.len())
}

fn unescape(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

fn word(rest: &str) -> (Token, usize) {
    let end = rest.find(|c: char| c.is_whitespace() || "()[]\",".contains(c)).unwrap_or(rest.len());
    (Token::Word(rest[..end].to_owned()), end)
}
