//! Words of an expression with their places. Never fails: what is no word becomes an error and a [`Token::Bad`].

use std::ops::Range;

use provost_model::Value;

use super::Comparison;
use crate::LangError;
use crate::error::code;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Constant(Value),
    Attribute(String),
    Word(String),
    Compare(Comparison),
    Ampersand,
    Open,
    Close,
    Comma,
    /// Not readable; its error is recorded already.
    Bad,
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Lexed {
    pub token: Token,
    pub span: Range<usize>,
}

pub(super) fn lex(source: &str) -> (Vec<Lexed>, Vec<LangError>) {
    let mut lexer = Lexer { source, tokens: Vec::new(), errors: Vec::new() };
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        at = if first.is_whitespace() { at + first.len_utf8() } else { lexer.token(at, first) };
    }
    lexer.tokens.push(Lexed { token: Token::End, span: source.len()..source.len() });
    (lexer.tokens, lexer.errors)
}

/// What is typed in place of straight double quotes.
const QUOTES: [char; 6] = ['\'', '“', '”', '„', '‘', '’'];

struct Lexer<'s> {
    source: &'s str,
    tokens: Vec<Lexed>,
    errors: Vec<LangError>,
}

impl Lexer<'_> {
    /// Reads one token and returns where the next may start.
    fn token(&mut self, at: usize, first: char) -> usize {
        use Comparison::*;
        let rest = &self.source[at..];
        let two = rest.get(..2).unwrap_or_default();
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '"' => return self.text(at),
            '[' => return self.attribute(at),
            '&' if !self.after_operand() && two.eq_ignore_ascii_case("&H") => return self.hexadecimal(at),
            '&' => (Token::Ampersand, 1),
            '0'..='9' => return self.number(at),
            '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => return self.number(at),
            '<' if two == "<>" => (Token::Compare(NotEqual), 2),
            '<' if two == "<=" => (Token::Compare(LessOrEqual), 2),
            '>' if two == ">=" => (Token::Compare(GreaterOrEqual), 2),
            '<' => (Token::Compare(Less), 1),
            '>' => (Token::Compare(Greater), 1),
            '=' if two == "==" => {
                self.error(at..at + 2, "`==` is no operator", "write `=`");
                (Token::Compare(Equal), 2)
            }
            '!' if two == "!=" => {
                self.error(at..at + 2, "`!=` is no operator", "write `<>`");
                (Token::Compare(NotEqual), 2)
            }
            '=' => (Token::Compare(Equal), 1),
            c if c.is_alphabetic() || c == '_' => (word(rest), word_length(rest)),
            c if QUOTES.contains(&c) => {
                // Up to the closing one, so that it is one error.
                let length = rest[c.len_utf8()..]
                    .char_indices()
                    .find(|(_, end)| QUOTES.contains(end))
                    .map_or(c.len_utf8(), |(end, close)| c.len_utf8() + end + close.len_utf8());
                let hint = "texts stand in straight double quotes: \"text\"";
                self.error(at..at + length, format!("unexpected `{c}`"), hint);
                (Token::Bad, length)
            }
            c => {
                let hint = match c {
                    '{' | '}' | '$' => "attributes stand in square brackets: [name]",
                    '+' => "join texts with `&` or Join(…)",
                    _ => "an expression is a function call, [attribute], \"text\" or number",
                };
                self.error(at..at + c.len_utf8(), format!("unexpected `{c}`"), hint);
                (Token::Bad, c.len_utf8())
            }
        };
        self.push(token, at..at + length)
    }

    fn push(&mut self, token: Token, span: Range<usize>) -> usize {
        let end = span.end;
        self.tokens.push(Lexed { token, span });
        end
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>, hint: &str) {
        self.errors.push(LangError::new(code::SYNTAX, span, message).hint(hint));
    }

    /// After an operand `&` joins; elsewhere `&H` starts a number.
    fn after_operand(&self) -> bool {
        matches!(
            self.tokens.last().map(|t| &t.token),
            Some(Token::Constant(_) | Token::Attribute(_) | Token::Word(_) | Token::Close)
        )
    }

    /// `"…"`: `\\` and `\"` are escapes, any other backslash stands for itself.
    fn text(&mut self, start: usize) -> usize {
        let mut text = String::new();
        let mut chars = self.source[start + 1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return self.push(Token::Constant(Value::from(text)), start..start + at + 2),
                '\\' => match chars.next() {
                    Some((_, escaped @ ('\\' | '"'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        let end = self.source.len();
        self.errors.push(
            LangError::new(code::UNCLOSED, start..end, "text without its closing quote")
                .hint("a quote inside a text is written \\\""),
        );
        self.push(Token::Bad, start..end)
    }

    /// `[name]`; the name may hold inner brackets and, inside those, quoted texts: `[emails[type eq "work"].value]`.
    fn attribute(&mut self, start: usize) -> usize {
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        for (at, c) in self.source[start..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' if depth > 1 => quoted = !quoted,
                _ if quoted => {}
                '[' => depth += 1,
                ']' if depth > 1 => depth -= 1,
                ']' => {
                    let (name, span) = (&self.source[start + 1..start + at], start..start + at + 1);
                    if name.trim().is_empty() {
                        self.error(span.clone(), "attribute without a name", "write the name in the brackets: [name]");
                        return self.push(Token::Bad, span);
                    }
                    return self.push(Token::Attribute(name.trim().to_owned()), span);
                }
                _ => {}
            }
        }
        // The name surely ended before the next separator; go on from there, to find further errors.
        let end = self.source[start..].find([',', ')']).map_or(self.source.len(), |at| start + at);
        self.errors
            .push(LangError::new(code::UNCLOSED, start..end, "attribute without its closing `]`").hint("write [name]"));
        self.push(Token::Bad, start..end)
    }

    fn hexadecimal(&mut self, start: usize) -> usize {
        let digits = &self.source[start + 2..];
        let length = digits.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(digits.len());
        let span = start..start + 2 + length;
        // As in VB the digits are the bits: &HFFFFFFFFFFFFFFFF is -1.
        match u64::from_str_radix(&digits[..length], 16) {
            Ok(bits) => self.push(Token::Constant(Value::Integer(bits as i64)), span),
            Err(_) => {
                self.error(span.clone(), "no hexadecimal number", "write up to 16 digits 0-9, A-F, as in &HF7");
                self.push(Token::Bad, span)
            }
        }
    }

    fn number(&mut self, start: usize) -> usize {
        let rest = &self.source[start..];
        let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
        let mut length = usize::from(rest.starts_with('-'));
        length += digits(length);
        if rest[length..].starts_with('.') && digits(length + 1) > 0 {
            length += 1 + digits(length + 1);
        }
        let span = start..start + length;
        let text = &rest[..length];
        if rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            let end = start + length + word_length(&rest[length..]);
            self.error(start..end, "no number", "texts stand in double quotes, attributes in [ ]");
            return self.push(Token::Bad, start..end);
        }
        let value = match text.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Decimal(number),
                _ => {
                    self.error(
                        span.clone(),
                        "the number is too large",
                        "long digits that identify something are a text: \"…\"",
                    );
                    return self.push(Token::Bad, span);
                }
            },
        };
        self.push(Token::Constant(value), span)
    }
}

/// A name, with the dots, colons and dashes that a bare attribute path would have, so that its error covers all of it.
fn word_length(rest: &str) -> usize {
    let mut end = 0;
    for (at, c) in rest.char_indices() {
        let inner = matches!(c, '.' | ':' | '-')
            && rest[at + 1..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        if !(c.is_alphanumeric() || c == '_' || (inner && at > 0)) {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

fn word(rest: &str) -> Token {
    let word = &rest[..word_length(rest)];
    match word {
        _ if word.eq_ignore_ascii_case("true") => Token::Constant(Value::Boolean(true)),
        _ if word.eq_ignore_ascii_case("false") => Token::Constant(Value::Boolean(false)),
        _ if word.eq_ignore_ascii_case("null") => Token::Constant(Value::Null),
        _ => Token::Word(word.to_owned()),
    }
}
