//! Filter and path text into a tree. One pass, bounded depth and size, errors with their place.

use std::ops::Range;

use super::lex::{Lexed, Token, lex};
use super::{Filter, Operator, Term};
use crate::{AttributePath, Place, Value};

/// Brackets nested deeper than this are refused, so that no input overflows the stack.
pub const MAX_DEPTH: usize = 64;
/// More terms than this in one filter are refused.
pub const MAX_TERMS: usize = 2_000;

/// Why a filter or path cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at {place}")]
pub struct FilterError {
    pub message: String,
    pub hint: Option<String>,
    /// Byte offsets into the text.
    pub span: Range<usize>,
    /// The same in lines and characters.
    pub place: Place,
}

pub(crate) fn parse_filter(source: &str) -> Result<Filter, FilterError> {
    let mut parser = Parser::new(source);
    let filter = parser.or()?;
    parser.end()?;
    Ok(filter)
}

/// A path as PATCH and mappings write it: `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`.
pub(crate) fn parse_path(source: &str) -> Result<AttributePath, FilterError> {
    let mut parser = Parser::new(source);
    let path = match parser.path()? {
        Subject::Path(path) => path,
        Subject::Element(path, filter) => AttributePath { filter: Some(Box::new(filter)), ..path },
    };
    parser.end()?;
    Ok(path)
}

enum Subject {
    Path(AttributePath),
    /// `emails[type eq "work"]`, with a sub-attribute where one followed.
    Element(AttributePath, Filter),
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Lexed>,
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'s> Parser<'s> {
    fn new(source: &'s str) -> Self {
        Self { source, tokens: lex(source), at: 0, depth: 0, terms: 0 }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn next(&mut self) -> Lexed {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Takes the next word if it is this keyword, in any letter case.
    fn keyword(&mut self, word: &str) -> bool {
        let hit = matches!(self.peek(), Token::Word(have) if have.eq_ignore_ascii_case(word));
        if hit {
            self.next();
        }
        hit
    }

    fn keywords(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        if words.iter().all(|word| self.keyword(word)) {
            return true;
        }
        self.at = start;
        false
    }

    fn fail<T>(&self, message: impl Into<String>, hint: Option<&str>) -> Result<T, FilterError> {
        let span = self.tokens[self.at].span.clone();
        let place = Place::of(self.source, &span);
        Err(FilterError { message: message.into(), hint: hint.map(str::to_owned), span, place })
    }

    fn end(&mut self) -> Result<(), FilterError> {
        match self.peek() {
            Token::End => Ok(()),
            Token::Close => self.fail("closing bracket without an opening one", None),
            _ => self.fail("expected `and`, `or` or the end", Some("join two conditions with `and` or `or`")),
        }
    }

    fn or(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn and(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.factor()?];
        while self.keyword("and") {
            parts.push(self.factor()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn nested(&mut self) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(format!("brackets are nested deeper than {MAX_DEPTH}"), None);
        }
        let inner = self.or()?;
        self.depth -= 1;
        Ok(inner)
    }

    fn close(&mut self, want: Token, name: &str) -> Result<(), FilterError> {
        if *self.peek() == want {
            self.next();
            return Ok(());
        }
        self.fail(format!("missing `{name}`"), None)
    }

    fn factor(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        if self.keyword("not") {
            if *self.peek() == Token::Open {
                self.next();
                let inner = self.nested()?;
                self.close(Token::Close, ")")?;
                return Ok(Filter::Not(Box::new(inner)));
            }
            self.at = start;
        }
        if *self.peek() == Token::Open {
            self.next();
            let inner = self.nested()?;
            self.close(Token::Close, ")")?;
            return Ok(inner);
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return self.fail(format!("more than {MAX_TERMS} conditions in one filter"), None);
        }
        match self.path()? {
            Subject::Path(path) => Ok(Filter::Term(self.term(path)?)),
            // `emails[type eq "work"].value eq "x"`: both hold for one element, as Entra's matching queries mean it.
            Subject::Element(path, filter) if path.sub.is_some() => {
                let inner = AttributePath::name(path.sub.as_deref().unwrap_or_default());
                let term = Filter::Term(self.term(inner)?);
                let both = match filter {
                    Filter::And(mut parts) => {
                        parts.push(term);
                        parts
                    }
                    other => vec![other, term],
                };
                Ok(Filter::Each { path: AttributePath { sub: None, ..path }, filter: Box::new(Filter::And(both)) })
            }
            Subject::Element(path, filter) => Ok(Filter::Each { path, filter: Box::new(filter) }),
        }
    }

    fn path(&mut self) -> Result<Subject, FilterError> {
        let hint = Some("a condition starts with an attribute, as in `department eq \"Sales\"`");
        let name = match self.peek() {
            Token::Word(word) => word.clone(),
            Token::Bracketed(name) if !name.trim().is_empty() => {
                let path = AttributePath::name(name.as_str());
                self.next();
                return Ok(Subject::Path(path));
            }
            Token::End => return self.fail("expected an attribute, found the end", hint),
            Token::Text(_) => return self.fail("expected an attribute, found a text in quotes", hint),
            Token::Stray(_) => return self.fail("text or bracket without its end", None),
            _ => return self.fail("expected an attribute", hint),
        };
        let path = match AttributePath::parse_plain(&name) {
            Ok(path) => path,
            Err(message) => return self.fail(message, None),
        };
        self.next();
        if *self.peek() != Token::OpenSquare {
            return Ok(Subject::Path(path));
        }
        if path.sub.is_some() {
            return self.fail("a value filter belongs to an attribute, not to a sub-attribute", None);
        }
        self.next();
        let filter = self.nested()?;
        self.close(Token::CloseSquare, "]")?;
        let mut path = path;
        if let (Token::Word(word), true) = (self.peek(), self.tokens[self.at].glued) {
            match word.strip_prefix('.') {
                Some(sub) if AttributePath::is_name(sub) => path.sub = Some(sub.into()),
                _ => return self.fail("expected `.` and a sub-attribute after `]`", None),
            }
            self.next();
        }
        Ok(Subject::Element(path, filter))
    }

    fn term(&mut self, path: AttributePath) -> Result<Term, FilterError> {
        let op = self.operator()?;
        let value = if !op.takes_value() {
            Value::Null
        } else if op == Operator::In {
            self.list()?
        } else {
            self.value()?
        };
        Ok(Term { path, op, value })
    }

    fn operator(&mut self) -> Result<Operator, FilterError> {
        const PHRASES: &[(&[&str], Operator)] = &[
            (&["NOT", "REGEX", "MATCH"], Operator::NotRegexMatch),
            (&["REGEX", "MATCH"], Operator::RegexMatch),
            (&["NOT", "EQUALS"], Operator::NotEquals),
            (&["IS", "NOT", "NULL"], Operator::IsNotNull),
            (&["IS", "NULL"], Operator::IsNull),
            (&["IS", "TRUE"], Operator::IsTrue),
            (&["IS", "FALSE"], Operator::IsFalse),
            (&["EQUALS"], Operator::Equals),
            (&["Greater_Than_OR_EQUALS"], Operator::GreaterThanOrEquals),
            (&["Greater_Than"], Operator::GreaterThan),
            (&["Includes"], Operator::Includes),
            (&["ENDS_WITH"], Operator::EndsWith),
            (&["!&"], Operator::NotWithin),
            (&["&"], Operator::Within),
            (&["eq"], Operator::Eq),
            (&["ne"], Operator::Ne),
            (&["co"], Operator::Co),
            (&["sw"], Operator::Sw),
            (&["ew"], Operator::Ew),
            (&["gt"], Operator::Gt),
            (&["ge"], Operator::Ge),
            (&["lt"], Operator::Lt),
            (&["le"], Operator::Le),
            (&["pr"], Operator::Pr),
            (&["in"], Operator::In),
        ];
        for (words, op) in PHRASES {
            if self.keywords(words) {
                return Ok(*op);
            }
        }
        let found = match self.peek() {
            Token::Word(word) => format!("unknown operator `{word}`"),
            _ => "expected an operator".to_owned(),
        };
        let hint = "operators: eq ne co sw ew gt ge lt le pr in, EQUALS, REGEX MATCH, IS NULL, Includes, ENDS_WITH";
        self.fail(found, Some(hint))
    }

    fn list(&mut self) -> Result<Value, FilterError> {
        if *self.peek() != Token::Open {
            return self.fail("`in` needs a list in brackets", Some("write `country in (\"DE\", \"FR\")`"));
        }
        self.next();
        let mut values = vec![self.value()?];
        while *self.peek() == Token::Comma {
            self.next();
            values.push(self.value()?);
        }
        self.close(Token::Close, ")")?;
        Ok(Value::List(values))
    }

    fn value(&mut self) -> Result<Value, FilterError> {
        let value = match self.peek() {
            Token::Text(text) => Value::text(text.as_str()),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                "null" => Value::Null,
                _ => match serde_json::from_str::<serde_json::Number>(word) {
                    Ok(number) => Value::from_json(&serde_json::Value::Number(number)),
                    Err(_) => {
                        let hint = format!("put texts in double quotes: \"{word}\"");
                        return self.fail(format!("`{word}` is no value"), Some(&hint));
                    }
                },
            },
            Token::Stray(_) => return self.fail("text without its closing quote", None),
            _ => return self.fail("expected a value", Some("texts stand in double quotes")),
        };
        self.next();
        Ok(value)
    }
}
