//! Filter and path text into a tree. One pass, bounded depth and size, every mistake with its place.
//!
//! After a mistake reading goes on at the next `and`, `or` or closing bracket, so that an author sees all of them at once.

use std::ops::Range;

use super::lex::{Lexed, Token, lex};
use super::{Filter, Operator, Spans, Term, escape};
use crate::{AttributePath, Place, Value};

/// Brackets nested deeper than this are refused, so that no input overflows the stack.
pub const MAX_DEPTH: usize = 100;
/// More terms than this in one filter are refused.
pub const MAX_TERMS: usize = 2_000;
/// Longer filters are refused, as longer expressions are.
pub const MAX_CHARACTERS: usize = 10_000;
/// After this many mistakes nobody reads on.
const MAX_ERRORS: usize = 20;

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

impl FilterError {
    /// Counts its place in the text that it is about: inside of brackets only its bytes are known.
    fn located(self, source: &str) -> Self {
        Self { place: Place::of(source, &self.span), ..self }
    }
}

/// The filter, or all mistakes in the order of the text.
pub(crate) fn parse_filter(source: &str) -> Result<Filter, Vec<FilterError>> {
    if let Some((end, _)) = source.char_indices().nth(MAX_CHARACTERS) {
        let message = format!("{} characters are too many for one filter", source.chars().count());
        return Err(vec![FilterError {
            message,
            hint: Some(format!("at most {MAX_CHARACTERS}; `in (…)` is shorter than many conditions with `or`")),
            span: end..source.len(),
            place: Place::of(source, &(end..source.len())),
        }]);
    }
    let mut parser = Parser::new(source);
    let filter = parser.whole();
    if parser.errors.is_empty() {
        return Ok(filter);
    }
    Err(parser.errors.into_iter().map(|error| error.located(source)).collect())
}

/// A path as PATCH and mappings write it: `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`.
/// One whole name in brackets is the name of a column, whatever dots and colons it has.
pub(crate) fn parse_path(source: &str) -> Result<AttributePath, FilterError> {
    read_path(source).map_err(|error| error.located(source))
}

fn read_path(source: &str) -> Result<AttributePath, FilterError> {
    let mut parser = Parser::new(source);
    if let [Lexed { token: Token::Bracketed(name), .. }, Lexed { token: Token::End, .. }] = parser.tokens.as_slice()
        && !name.trim().is_empty()
    {
        return Ok(AttributePath::name(name.as_str()));
    }
    let subject = parser.path();
    if let Some(first) = parser.errors.drain(..).next() {
        return Err(first);
    }
    let path = match subject? {
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

struct Parser {
    tokens: Vec<Lexed>,
    at: usize,
    /// Where these tokens begin in the whole text; not zero inside `[…]`.
    base: usize,
    depth: usize,
    terms: usize,
    errors: Vec<FilterError>,
    /// Nothing after this is worth a word: a text without its end, or a limit.
    halted: bool,
}

impl Parser {
    fn new(source: &str) -> Self {
        Self { tokens: lex(source), at: 0, base: 0, depth: 0, terms: 0, errors: Vec::new(), halted: false }
    }

    /// All of the text. What stands between two conditions that is neither `and` nor `or` is a mistake.
    fn whole(&mut self) -> Filter {
        let filter = self.or();
        loop {
            if self.keyword("and") || self.keyword("or") {
                // Only after a mistake: what follows is read for its own mistakes.
                self.or();
            }
            match self.end() {
                Ok(()) => return filter,
                Err(error) => self.report(error),
            }
            if matches!(self.peek(), Token::Close | Token::CloseSquare) {
                self.next();
            } else {
                self.skip();
            }
        }
    }

    fn report(&mut self, error: FilterError) {
        // Of two mistakes in one place the first says more.
        let is_new = self.errors.last().is_none_or(|last| last.span != error.span);
        if is_new && !self.halted && self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
        self.halted |= matches!(self.peek(), Token::Stray(_));
    }

    /// Ends the reading: what follows a limit is not looked at.
    #[inline(never)]
    fn halt(&mut self, message: String) {
        self.report(FilterError { message, hint: None, span: self.span_since(self.at), place: Place::default() });
        self.halted = true;
        self.at = self.tokens.len() - 1;
    }

    /// To the next `and`, `or` or bracket that closes something opened before.
    fn skip(&mut self) {
        let mut open = 0_usize;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Close | Token::CloseSquare if open == 0 => return,
                Token::Word(word)
                    if open == 0 && (word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or")) =>
                {
                    return;
                }
                Token::Close | Token::CloseSquare => open -= 1,
                Token::Open | Token::OpenSquare => open += 1,
                _ => {}
            }
            self.next();
        }
    }

    /// From this token to the one read last.
    fn span_since(&self, start: usize) -> Range<usize> {
        let last = self.at.saturating_sub(1).max(start);
        self.base + self.tokens[start].span.start..self.base + self.tokens[last].span.end
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
        let span = self.span_since(self.at);
        Err(FilterError { message: message.into(), hint: hint.map(str::to_owned), span, place: Place::default() })
    }

    fn end(&mut self) -> Result<(), FilterError> {
        match self.peek() {
            Token::End => Ok(()),
            Token::Close => self.fail("closing bracket without an opening one", None),
            _ => self.fail("expected `and`, `or` or the end", Some("join two conditions with `and` or `or`")),
        }
    }

    fn or(&mut self) -> Filter {
        let mut parts = Vec::new();
        loop {
            match self.and() {
                // Brackets around an `or` inside an `or` change nothing.
                Filter::Or(inner) => parts.extend(inner),
                other => parts.push(other),
            }
            if !self.keyword("or") {
                return if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) };
            }
        }
    }

    fn and(&mut self) -> Filter {
        let mut parts = Vec::new();
        loop {
            match self.factor() {
                Ok(Filter::And(inner)) => parts.extend(inner),
                Ok(other) => parts.push(other),
                Err(error) => {
                    self.report(error);
                    self.skip();
                }
            }
            if !self.keyword("and") {
                return if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) };
            }
        }
    }

    /// What stands in brackets, to the closing one.
    fn nested(&mut self, closing: &Token, name: &str) -> Filter {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.halt(format!("brackets are nested deeper than {MAX_DEPTH}"));
        }
        // After a limit there is nothing left to read.
        let inner = if self.halted { Filter::And(Vec::new()) } else { self.or() };
        self.depth -= 1;
        self.close(closing, name);
        inner
    }

    /// Takes the closing bracket, past what stands in its way.
    fn close(&mut self, closing: &Token, name: &str) {
        while self.peek() != closing {
            if self.keyword("and") || self.keyword("or") {
                // Only after a mistake: what follows is read for its own mistakes.
                self.or();
                continue;
            }
            let message = match self.peek() {
                Token::End => format!("missing `{name}`"),
                Token::Close | Token::CloseSquare => format!("expected `{name}`, found another bracket"),
                _ => format!("expected `and`, `or` or `{name}`"),
            };
            self.report(FilterError { message, hint: None, span: self.span_since(self.at), place: Place::default() });
            match self.peek() {
                Token::End => return,
                Token::Close | Token::CloseSquare => break,
                _ => self.skip(),
            }
        }
        self.next();
    }

    fn factor(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        let negated = self.keyword("not");
        if *self.peek() == Token::Open {
            self.next();
            let inner = self.nested(&Token::Close, ")");
            return Ok(if negated { Filter::Not(Box::new(inner)) } else { inner });
        }
        // An attribute may be called `not`.
        self.at = start;
        self.condition()
    }

    /// Apart from [`factor`](Self::factor), so that a level of brackets takes little stack.
    #[inline(never)]
    fn condition(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        self.terms += 1;
        if self.terms > MAX_TERMS {
            self.halt(format!("more than {MAX_TERMS} conditions in one filter"));
            return Ok(Filter::And(Vec::new()));
        }
        let subject = self.path()?;
        let attribute = self.span_since(start);
        match subject {
            Subject::Path(path) => Ok(Filter::Term(self.term(path, attribute)?)),
            // `emails[type eq "work"].value eq "x"`: both hold for one element, as Entra's matching queries mean it.
            Subject::Element(path, filter) if path.sub.is_some() => self.element(path, filter, attribute),
            Subject::Element(path, filter) => Ok(Filter::Each { path, filter: Box::new(filter) }),
        }
    }

    #[inline(never)]
    fn element(
        &mut self,
        mut path: AttributePath,
        filter: Filter,
        attribute: Range<usize>,
    ) -> Result<Filter, FilterError> {
        let sub = AttributePath::name(path.sub.take().unwrap_or_default());
        let term = Filter::Term(self.term(sub, attribute)?);
        let mut both = match filter {
            Filter::And(parts) => parts,
            other => vec![other],
        };
        both.push(term);
        Ok(Filter::Each { path, filter: Box::new(Filter::And(both)) })
    }

    /// `[name]`, `[name.familyName]`, `[urn:…:User:department]`, `[emails[type eq "work"].value]`: what the brackets mean in
    /// expressions. What reads as no path is the name of a column.
    fn bracketed(&mut self, name: &str) -> Result<Subject, FilterError> {
        if !name.contains('[') {
            let path = AttributePath::parse_plain(name).unwrap_or_else(|_| AttributePath::name(name));
            self.next();
            return Ok(Subject::Path(path));
        }
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("brackets are nested deeper than {MAX_DEPTH}"), None);
        }
        let mut inner = Self {
            base: self.base + self.tokens[self.at].span.start + 1,
            depth: self.depth + 1,
            terms: self.terms,
            ..Self::new(name)
        };
        let subject = inner.path()?;
        inner.end()?;
        self.terms = inner.terms;
        inner.errors.into_iter().for_each(|error| self.report(error));
        self.next();
        Ok(subject)
    }

    fn path(&mut self) -> Result<Subject, FilterError> {
        let hint = Some("a condition starts with an attribute, as in `department eq \"Sales\"`");
        let name = match self.peek() {
            Token::Word(word) => word.clone(),
            Token::Bracketed(name) if !name.trim().is_empty() => {
                let name = name.clone();
                return self.bracketed(&name);
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
        let filter = self.nested(&Token::CloseSquare, "]");
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

    fn term(&mut self, path: AttributePath, attribute: Range<usize>) -> Result<Term, FilterError> {
        let start = self.at;
        let op = self.operator()?;
        let operator = self.span_since(start);
        let start = self.at;
        let (value, operand) = if !op.takes_value() {
            (Value::Null, operator.end..operator.end)
        } else {
            let value = if op == Operator::In { self.list()? } else { self.value(op)? };
            (value, self.span_since(start))
        };
        Ok(Term { path, op, value, spans: Spans { attribute, operator, operand } })
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
        let mut values = vec![self.value(Operator::In)?];
        while *self.peek() == Token::Comma {
            self.next();
            values.push(self.value(Operator::In)?);
        }
        if *self.peek() != Token::Close {
            return self.fail("missing `)`", Some("values in a list are separated by commas"));
        }
        self.next();
        Ok(Value::List(values))
    }

    fn value(&mut self, op: Operator) -> Result<Value, FilterError> {
        let value = match self.peek() {
            Token::Text(raw) if op.takes_pattern() => Value::text(escape::pattern(raw)),
            Token::Text(raw) => Value::text(escape::text(raw)),
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                "null" => Value::Null,
                _ => match serde_json::from_str::<serde_json::Number>(word) {
                    // JSON's reader may be off by the last bit of a decimal.
                    Ok(number) if number.is_f64() => match word.parse() {
                        Ok(exact) => Value::Decimal(exact),
                        Err(_) => return self.fail(format!("`{word}` is no value"), None),
                    },
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
