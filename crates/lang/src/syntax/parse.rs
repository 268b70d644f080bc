//! Tokens into a tree: one pass, bounded depth, every error recorded and stepped over.
//!
//! ```text
//! condition     = concatenation [ operator concatenation ]
//! concatenation = operand { "&" operand }
//! operand       = constant | "[" name "]" | word | name "(" [ slot { "," slot } ] ")" | "(" condition ")"
//! slot          = [ condition ]
//! ```

use std::ops::Range;

use provost_model::Place;

use super::lex::{Lexed, Token, lex};
use super::{MAX_CHARACTERS, MAX_DEPTH, Parsed, Tree, TreeKind};
use crate::LangError;
use crate::error::code;

pub(super) fn parse(source: &str) -> Parsed {
    let characters = source.chars().count();
    if characters > MAX_CHARACTERS {
        let message = format!("{characters} characters are too many for one expression");
        let error = LangError::new(code::SIZE, 0..source.len(), message).hint(format!("at most {MAX_CHARACTERS}"));
        return Parsed {
            tree: Tree { span: 0..source.len(), kind: TreeKind::Invalid },
            errors: vec![error.locate(source)],
        };
    }
    let (tokens, errors) = lex(source);
    let mut parser = Parser { source, tokens, at: 0, depth: 0, errors };
    let tree = parser.condition();
    parser.end();
    let mut errors: Vec<LangError> = parser.errors.into_iter().map(|error| error.locate(source)).collect();
    errors.sort_by_key(|error| error.span.start);
    Parsed { tree, errors }
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Lexed>,
    at: usize,
    depth: usize,
    errors: Vec<LangError>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].span.clone()
    }

    fn next(&mut self) -> Lexed {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn take(&mut self, token: Token) -> bool {
        let hit = *self.peek() == token;
        if hit {
            self.next();
        }
        hit
    }

    fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut LangError {
        let at = self.errors.len();
        self.errors.push(LangError::new(code::SYNTAX, span, message));
        &mut self.errors[at]
    }

    fn invalid(&self, span: Range<usize>) -> Tree {
        Tree { span, kind: TreeKind::Invalid }
    }

    fn end(&mut self) {
        if *self.peek() == Token::End {
            return;
        }
        self.surplus();
    }

    /// Something follows a complete expression.
    fn surplus(&mut self) {
        let span = self.span();
        let token = self.peek().clone();
        let found = self.source[span.clone()].to_owned();
        let (message, hint) = match &token {
            Token::Bad => return,
            Token::Close => ("closing bracket without an opening one".to_owned(), None),
            Token::Comma => ("`,` outside a function call".to_owned(), Some("several values are joined with Join(…)")),
            Token::Word(word) if word.eq_ignore_ascii_case("and") => {
                ("`and` is no operator".to_owned(), Some("write And(first, second)"))
            }
            Token::Word(word) if word.eq_ignore_ascii_case("or") => {
                ("`or` is no operator".to_owned(), Some("write Or(first, second)"))
            }
            Token::Compare(_) => ("comparisons cannot follow each other".to_owned(), Some("write And(first, second)")),
            _ => {
                (format!("unexpected `{}`", clip(&found)), Some("separate arguments with `,` and join texts with `&`"))
            }
        };
        self.error(span, message).hint = hint.map(str::to_owned);
    }

    fn condition(&mut self) -> Tree {
        let left = self.concatenation();
        let Token::Compare(operator) = *self.peek() else { return left };
        self.next();
        let right = self.concatenation();
        Tree {
            span: left.span.start..right.span.end,
            kind: TreeKind::Compare { operator, left: Box::new(left), right: Box::new(right) },
        }
    }

    fn concatenation(&mut self) -> Tree {
        let first = self.operand();
        if *self.peek() != Token::Ampersand {
            return first;
        }
        let mut parts = vec![first];
        while self.take(Token::Ampersand) {
            parts.push(self.operand());
        }
        let span = parts[0].span.start..parts[parts.len() - 1].span.end;
        Tree { span, kind: TreeKind::Concatenation(parts) }
    }

    fn operand(&mut self) -> Tree {
        let span = self.span();
        let kind = match self.peek().clone() {
            Token::Constant(value) => TreeKind::Constant(value),
            Token::Attribute(name) => TreeKind::Attribute(name.into()),
            Token::Word(name) => {
                self.next();
                if *self.peek() == Token::Open {
                    return self.nested(span.clone(), |parser| parser.call(&name, span));
                }
                return Tree { span, kind: TreeKind::Word(name.into()) };
            }
            Token::Open => return self.nested(span, Self::group),
            Token::Bad => TreeKind::Invalid,
            Token::End | Token::Close | Token::Comma | Token::Ampersand | Token::Compare(_) => {
                let found = match self.peek() {
                    Token::End => "the end".to_owned(),
                    _ => format!("`{}`", &self.source[span.clone()]),
                };
                let hint = "an expression is a function call, [attribute], \"text\" or number";
                self.error(span.clone(), format!("expected a value, found {found}")).hint = Some(hint.to_owned());
                return self.invalid(span.start..span.start);
            }
        };
        self.next();
        Tree { span, kind }
    }

    fn nested(&mut self, start: Range<usize>, read: impl FnOnce(&mut Self) -> Tree) -> Tree {
        if self.depth >= MAX_DEPTH {
            let error = LangError::new(code::SIZE, start.clone(), format!("nested deeper than {MAX_DEPTH}"));
            self.errors.push(error.hint("split the expression in several mappings"));
            self.at = self.tokens.len() - 1;
            return self.invalid(start);
        }
        self.depth += 1;
        let tree = read(self);
        self.depth -= 1;
        tree
    }

    fn group(&mut self) -> Tree {
        let open = self.next().span;
        let inner = self.condition();
        self.close(&open, "bracket");
        inner
    }

    fn call(&mut self, name: &str, name_span: Range<usize>) -> Tree {
        let open = self.next().span;
        let mut arguments = Vec::new();
        if !self.take(Token::Close) {
            loop {
                let slot = match self.peek() {
                    Token::Comma | Token::Close => None,
                    Token::End => break,
                    _ => Some(self.condition()),
                };
                arguments.push(slot);
                self.resynchronise();
                if !self.take(Token::Comma) {
                    break;
                }
            }
            self.close(&open, name);
        }
        let end = self.tokens[self.at.saturating_sub(1)].span.end;
        let span = name_span.start..end.max(name_span.end);
        Tree { span, kind: TreeKind::Call { name: name.into(), name_span, arguments } }
    }

    /// After an argument: reports what does not belong there and skips to the next separator of this call.
    fn resynchronise(&mut self) {
        if matches!(self.peek(), Token::Comma | Token::Close | Token::End) {
            return;
        }
        self.surplus();
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Comma | Token::Close if depth == 0 => return,
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                _ => {}
            }
            self.next();
        }
    }

    fn close(&mut self, open: &Range<usize>, of: &str) {
        if self.take(Token::Close) {
            return;
        }
        let span = self.span();
        // A text without its end has swallowed the bracket, or reading stopped before it; one error is enough.
        let is_told = |error: &LangError| match error.code.as_str() {
            code::UNCLOSED => error.span.end == self.source.len(),
            other => other == code::SIZE,
        };
        if !self.errors.iter().any(is_told) {
            let hint = format!("the bracket of `{}` at {} is open", clip(of), Place::of(self.source, open));
            self.error(span, "missing `)`").hint = Some(hint);
        }
    }
}

/// The start of a long text, for messages.
fn clip(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
