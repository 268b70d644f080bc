//! The compiled form of an expression: names resolved, constants computed, regular expressions and date patterns built.
//!
//! `compile` makes it from a tree with the help of `check`, `evaluate` runs it, `arguments` is what a function sees of
//! its call. All parts are immutable but for relaxed position hints, so that one program serves all threads.

mod arguments;
mod attribute;
mod check;
mod compare;
mod compile;
mod evaluate;

use std::ops::Range;
use std::sync::Arc;

use jiff::civil::DateTime;
use provost_model::{Text, Value};

use crate::Table;
use crate::dates::Pattern;
use crate::functions::Function;
use crate::functions::replace;
use crate::syntax::Comparison;

pub(crate) use arguments::Arguments;
pub(crate) use attribute::{Attribute, Hint};
pub use check::Shape;
pub(crate) use check::{check, gives_many};
pub(crate) use compare::equal;
pub(crate) use compile::{Compiled, compile};
pub(crate) use evaluate::{Eval, Frame, Recorder, Stop};

/// One step of a program with the place it came from.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: NodeKind,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Constant(Value),
    Attribute(Attribute),
    Call(Call),
    Compare {
        operator: Comparison,
        left: Box<Node>,
        right: Box<Node>,
    },
    Concatenation(Box<[Node]>),
    IgnoreAttribute,
    IgnoreObject,
    /// A part without attributes that was computed once; its own steps are kept for the trace.
    Folded {
        result: Folded,
        original: Box<Node>,
    },
}

#[derive(Debug)]
pub(crate) enum Folded {
    Value(Value),
    Moment(DateTime),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    /// `None` where the slot is empty; trailing empty slots that no form asks for are cut off.
    pub(crate) arguments: Box<[Option<Node>]>,
    pub(crate) prepared: Prepared,
}

/// What a function computed from its constant arguments, once.
#[derive(Debug)]
pub(crate) enum Prepared {
    Nothing,
    Replace(Box<replace::Plan>),
    /// Input and output pattern of `FormatDateTime`, each where it is a constant.
    DatePatterns(Box<[Option<Pattern>; 2]>),
    Table(Arc<Table>),
    /// The default domain, where the configuration names one.
    Domain(Option<Text>),
}

impl Node {
    /// The value of a constant part.
    pub(crate) fn constant(&self) -> Option<&Value> {
        match &self.kind {
            NodeKind::Constant(value) | NodeKind::Folded { result: Folded::Value(value), .. } => Some(value),
            _ => None,
        }
    }

    /// The text of a constant part.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        self.constant().and_then(Value::as_text)
    }

    /// Calls `visit` for this step and all below it, unevaluated branches and folded parts included.
    pub(crate) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        match &self.kind {
            NodeKind::Call(call) => call.arguments.iter().flatten().for_each(|argument| argument.walk(visit)),
            NodeKind::Compare { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            NodeKind::Concatenation(parts) => parts.iter().for_each(|part| part.walk(visit)),
            NodeKind::Folded { original, .. } => original.walk(visit),
            NodeKind::Constant(_) | NodeKind::Attribute(_) | NodeKind::IgnoreAttribute | NodeKind::IgnoreObject => {}
        }
    }
}
