//! Runs a program on one object. Recursion is bounded by the depth that the parser allows.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use provost_model::{Code, Text, Value};

use super::{Arguments, Folded, Node, NodeKind, compare};
use crate::datum::{Datum, NULL};
use crate::error::code;
use crate::trace::{Trace, Traced};
use crate::{Context, EvalError, MAX_TEXT};

/// The result of a step.
pub(crate) type Eval<'a> = Result<Datum<'a>, Stop>;

/// Why evaluation ended early. A flow keyword anywhere in what is evaluated decides for the whole expression.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Box<EvalError>),
    IgnoreAttribute,
    IgnoreObject,
}

impl Stop {
    pub(crate) fn failed(code: &'static str, span: &Range<usize>, message: String, found: Option<Text>) -> Self {
        Stop::Failed(Box::new(EvalError { code: Code::new(code), span: span.clone(), message, hint: None, found }))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Stop::Failed(error) = &mut self {
            error.hint = Some(hint.into());
        }
        self
    }
}

/// One evaluation.
pub(crate) struct Frame<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) recorder: Option<Recorder<'a>>,
}

/// Collects the steps of an evaluation for its trace.
pub(crate) struct Recorder<'a> {
    source: &'a str,
    /// Parts whose values must not be shown.
    redacted: &'a [Range<usize>],
    open: RefCell<Vec<Vec<Trace>>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(source: &'a str, redacted: &'a [Range<usize>]) -> Self {
        Self { source, redacted, open: RefCell::new(vec![Vec::new()]) }
    }

    /// The outermost step.
    pub(crate) fn finish(self) -> Option<Trace> {
        self.open.into_inner().pop()?.pop()
    }

    fn is_outermost(&self) -> bool {
        self.open.borrow().len() == 1
    }

    fn enter(&self) {
        self.open.borrow_mut().push(Vec::new());
    }

    fn leave(&self, span: &Range<usize>, result: &Eval<'_>) {
        let touches = |hidden: &Range<usize>| hidden.start < span.end && span.start < hidden.end;
        let result = match result {
            Err(Stop::IgnoreAttribute) => Traced::IgnoreAttribute,
            Err(Stop::IgnoreObject) => Traced::IgnoreObject,
            Err(Stop::Failed(error)) => Traced::Error(error.as_ref().clone().redacted(self.redacted)),
            Ok(_) if self.redacted.iter().any(touches) => Traced::Redacted,
            Ok(datum) => Traced::Value(datum.clone().into_value()),
        };
        let expression = self.source.get(span.clone()).unwrap_or_default().to_owned();
        let mut open = self.open.borrow_mut();
        let children = open.pop().unwrap_or_default();
        if let Some(parent) = open.last_mut() {
            parent.push(Trace { expression, span: span.clone(), result, children });
        }
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn eval(&self, node: &'a Node) -> Eval<'a> {
        match &self.recorder {
            None => self.step(node),
            Some(recorder) => self.step_recorded(node, recorder),
        }
    }

    #[cold]
    fn step_recorded(&self, node: &'a Node, recorder: &Recorder<'a>) -> Eval<'a> {
        if let NodeKind::Folded { original, .. } = &node.kind {
            return self.step_recorded(original, recorder);
        }
        if matches!(node.kind, NodeKind::Constant(_)) && !recorder.is_outermost() {
            return self.step(node);
        }
        recorder.enter();
        let result = self.step(node);
        recorder.leave(&node.span, &result);
        result
    }

    fn step(&self, node: &'a Node) -> Eval<'a> {
        match &node.kind {
            NodeKind::Constant(Value::Null) => Ok(Datum::Clear),
            NodeKind::Constant(value) => Ok(Datum::Ref(value)),
            NodeKind::Attribute(attribute) => Ok(match attribute.read(self.context.source) {
                Some(Cow::Borrowed(value)) => Datum::Ref(value),
                Some(Cow::Owned(value)) => Datum::Own(value),
                None => NULL,
            }),
            NodeKind::Call(call) => (call.function.run)(&Arguments { call, span: &node.span, frame: self }),
            NodeKind::Compare { operator, left, right } => {
                let is_literal = [left.constant().is_some(), right.constant().is_some()];
                let left = self.single(left)?;
                let right = self.single(right)?;
                Ok(Datum::Own(Value::Boolean(compare::holds(*operator, &left, &right, is_literal))))
            }
            NodeKind::Concatenation(parts) => self.concatenate(node, parts),
            NodeKind::IgnoreAttribute => Err(Stop::IgnoreAttribute),
            NodeKind::IgnoreObject => Err(Stop::IgnoreObject),
            NodeKind::Folded { result: Folded::Value(value), .. } => Ok(Datum::Ref(value)),
            NodeKind::Folded { result: Folded::Moment(moment), .. } => Ok(Datum::Moment(*moment)),
        }
    }

    /// One value: a list of one counts as its element.
    fn single(&self, node: &'a Node) -> Eval<'a> {
        self.eval(node)?.single().map_err(|values| {
            let message = format!("an operator takes single values, not a list of {values}");
            Stop::failed(code::VALUE_KIND, &node.span, message, None).hint("pick one with Item(list, 1)")
        })
    }

    /// `&`: null counts as an empty text, as in VB; null only when all parts are.
    fn concatenate(&self, node: &'a Node, parts: &'a [Node]) -> Eval<'a> {
        let mut out: Option<Text> = None;
        for part in parts {
            let text = self.single(part)?.into_str().map_err(|other| {
                let message = format!("`&` joins texts, not a {} value", other.kind());
                Stop::failed(code::VALUE_KIND, &part.span, message, None)
            })?;
            if let Some(text) = text {
                out.get_or_insert_default().push_str(&text);
            }
        }
        match out {
            Some(text) if text.len() > MAX_TEXT => Err(too_long(&node.span)),
            Some(text) => Ok(Datum::text(text)),
            None => Ok(NULL),
        }
    }
}

/// The error of a result beyond [`MAX_TEXT`].
pub(crate) fn too_long(span: &Range<usize>) -> Stop {
    Stop::failed(code::RESULT_SIZE, span, format!("the result is longer than {MAX_TEXT} bytes"), None)
}
