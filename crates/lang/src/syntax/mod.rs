//! Expression text as a tree. Reading never fails: what cannot be read is a [`TreeKind::Invalid`] node and an error with
//! its place, so that an editor can colour and complete half-written text.
//!
//! No names are resolved here; that is the checker's part (`program::check`).

mod lex;
mod parse;
mod print;

use std::ops::Range;

use provost_model::{Text, Value};

use crate::LangError;

pub(crate) use print::quoted;

/// More characters than this in one expression are refused, as Entra does.
pub const MAX_CHARACTERS: usize = 10_000;
/// Calls and brackets nested deeper than this are refused.
pub const MAX_DEPTH: usize = 100;

/// A part of an expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Byte offsets into the source.
    pub span: Range<usize>,
    /// What it is, with its parts.
    pub kind: TreeKind,
}

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum TreeKind {
    /// `"text"`, `12`, `-1.5`, `&HF`, `True`, `False`, `Null`.
    Constant(Value),
    /// `[name]`, without its brackets.
    Attribute(Text),
    /// `Name(…)`. An argument is `None` where the slot is empty, which differs from an empty text.
    Call {
        /// As written; letter case does not matter.
        name: Text,
        /// The place of the name alone.
        name_span: Range<usize>,
        /// The slots between the commas.
        arguments: Vec<Option<Tree>>,
    },
    /// `left = right` and its like.
    Compare {
        /// What is asked.
        operator: Comparison,
        /// Before the operator.
        left: Box<Tree>,
        /// After the operator.
        right: Box<Tree>,
    },
    /// `a & b & c`.
    Concatenation(Vec<Tree>),
    /// A bare word: a keyword such as `IgnoreAttributeFlow` or `vbTextCompare`, or a mistake that the checker reports.
    Word(Text),
    /// Could not be read; an error with this place says why.
    Invalid,
}

/// The operators of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// The tree of a text and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Complete; [`TreeKind::Invalid`] where the text could not be read.
    pub tree: Tree,
    /// In the order of the text.
    pub errors: Vec<LangError>,
}

pub(crate) fn parse(source: &str) -> Parsed {
    parse::parse(source)
}

#[cfg(test)]
mod tests;
