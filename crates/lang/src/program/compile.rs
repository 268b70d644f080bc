//! A tree into a program, with all errors at once.

use std::ops::Range;

use provost_model::{Attributes, Text, Timestamp, Value};

use super::evaluate::Frame;
use super::{Attribute, Call, Folded, Node, NodeKind, Prepared, check};
use crate::datum::Datum;
use crate::error::code;
use crate::functions::{self, Form, Nature};
use crate::syntax::{Tree, TreeKind, quoted};
use crate::{Context, Environment, LangError};

/// A program and what its text alone tells.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) root: Node,
    pub(crate) attributes: Vec<Text>,
    pub(crate) is_volatile: bool,
    pub(crate) is_constant: bool,
    /// It uses chance, not only time.
    pub(crate) is_random: bool,
    /// It asks for the default domain, and the configuration names none.
    pub(crate) lacks_domain: bool,
    /// Its values join those at the target.
    pub(crate) adds: bool,
    /// Parts whose values must not be shown.
    pub(crate) redacted: Vec<Range<usize>>,
    /// The attributes in those parts.
    pub(crate) hidden: Vec<Text>,
}

pub(crate) fn compile(tree: &Tree, environment: &Environment) -> (Compiled, Vec<LangError>) {
    let mut compiler = Compiler { errors: Vec::new(), environment };
    let root = compiler.node(tree, true);
    let mut compiled = Compiled {
        root,
        attributes: Vec::new(),
        is_volatile: false,
        is_constant: true,
        is_random: false,
        lacks_domain: false,
        adds: false,
        redacted: Vec::new(),
        hidden: Vec::new(),
    };
    let Compiled { root, attributes, is_volatile, is_constant, is_random, lacks_domain, adds, redacted, hidden } =
        &mut compiled;
    root.walk(&mut |node| match &node.kind {
        NodeKind::Attribute(attribute) => {
            *is_constant = false;
            if !attributes.contains(&attribute.name) {
                attributes.push(attribute.name.clone());
            }
        }
        NodeKind::IgnoreAttribute | NodeKind::IgnoreObject => *is_constant = false,
        NodeKind::Call(call) => {
            *is_volatile |= matches!(call.function.nature, Nature::Volatile | Nature::Random);
            *is_constant &= call.function.nature == Nature::Pure;
            *is_random |= call.function.nature == Nature::Random;
            *lacks_domain |= matches!(call.prepared, Prepared::Domain(None));
            *adds |= call.function.name == functions::roles::ADDING;
            if call.function.name == "Redact" {
                redacted.push(node.span.clone());
                node.walk(&mut |inner| {
                    if let NodeKind::Attribute(attribute) = &inner.kind {
                        hidden.push(attribute.name.clone());
                    }
                });
            }
        }
        _ => {}
    });
    (compiled, compiler.errors)
}

struct Compiler<'e> {
    errors: Vec<LangError>,
    environment: &'e Environment,
}

impl Compiler<'_> {
    fn error(&mut self, code: &'static str, span: &Range<usize>, message: String, hint: String) {
        self.errors.push(LangError::new(code, span.clone(), message).hint(hint));
    }

    fn node(&mut self, tree: &Tree, is_top: bool) -> Node {
        let kind = match &tree.kind {
            TreeKind::Constant(value) => NodeKind::Constant(value.clone()),
            TreeKind::Attribute(name) => self.attribute(name, &tree.span),
            TreeKind::Invalid => NodeKind::Constant(Value::Null),
            TreeKind::Word(word) => self.word(word, &tree.span),
            TreeKind::Compare { operator, left, right } => NodeKind::Compare {
                operator: *operator,
                left: Box::new(self.node(left, false)),
                right: Box::new(self.node(right, false)),
            },
            TreeKind::Concatenation(parts) => {
                NodeKind::Concatenation(parts.iter().map(|part| self.node(part, false)).collect())
            }
            TreeKind::Call { name, name_span, arguments } => self.call(tree, name, name_span, arguments, is_top),
        };
        fold(Node { span: tree.span.clone(), kind })
    }

    fn attribute(&mut self, name: &Text, span: &Range<usize>) -> NodeKind {
        let attribute = Attribute::new(name.clone());
        if let Some(operator) = attribute.unselectable() {
            let message = format!("`{}` cannot select elements of a list", operator.as_str());
            let hint = "select with eq, ne, co, sw, ew, gt, ge, lt, le, pr or in; a scope can use all operators";
            self.error(code::OPERAND, span, message, hint.to_owned());
        }
        NodeKind::Attribute(attribute)
    }

    /// A bare word that no parameter asks for.
    fn word(&mut self, word: &str, span: &Range<usize>) -> NodeKind {
        if word.eq_ignore_ascii_case("IgnoreAttributeFlow") {
            return NodeKind::IgnoreAttribute;
        }
        if word.eq_ignore_ascii_case("IgnoreObjectFlow") {
            return NodeKind::IgnoreObject;
        }
        let message = format!("`{word}` is neither a function call nor a keyword");
        let hint = match functions::find(word) {
            Some(function) => format!("write {} to call the function", function.signature()),
            None => format!("write [{word}] for the attribute, or {} for the text", quoted(word)),
        };
        self.error(code::BARE_WORD, span, message, hint);
        NodeKind::Constant(Value::Null)
    }

    fn call(
        &mut self,
        tree: &Tree,
        name: &str,
        name_span: &Range<usize>,
        arguments: &[Option<Tree>],
        is_top: bool,
    ) -> NodeKind {
        let Some(function) = functions::find(name) else {
            for argument in arguments.iter().flatten() {
                self.node(argument, false);
            }
            let hint = match functions::nearest(name) {
                Some(near) => format!("did you mean `{}`?", near.name),
                None => "the list of functions is in the documentation of the mapping language".to_owned(),
            };
            self.error(code::UNKNOWN_FUNCTION, name_span, format!("unknown function `{name}`"), hint);
            return NodeKind::Constant(Value::Null);
        };
        if function.name == "SelectUniqueValue" && !is_top {
            let message = "`SelectUniqueValue` is nested in another function".to_owned();
            let hint = "make it the outermost function and move the others into its rules".to_owned();
            self.error(code::PLACE, name_span, message, hint);
        }
        let slots = function.slots(arguments.len(), arguments.iter().rev().take_while(|slot| slot.is_none()).count());
        let form = function.form(slots);
        let nodes: Box<[Option<Node>]> = arguments[..slots]
            .iter()
            .enumerate()
            .map(|(at, slot)| slot.as_ref().map(|tree| self.argument(tree, form, at)))
            .collect();
        let before = self.errors.len();
        check::form(function, &nodes, &tree.span, &mut self.errors);
        let mut prepared = Prepared::Nothing;
        if let Some(prepare) = function.prepare
            && self.errors.len() == before
        {
            match prepare(&nodes, &tree.span, self.environment) {
                Ok(done) => prepared = done,
                Err(errors) => self.errors.extend(errors),
            }
        }
        NodeKind::Call(Call { function, arguments: nodes, prepared })
    }

    /// An argument; where the parameter is a choice of words, a bare word is one.
    fn argument(&mut self, tree: &Tree, form: &Form, at: usize) -> Node {
        if let TreeKind::Word(word) = &tree.kind
            && form.parameter(at).is_some_and(|parameter| parameter.kind.has_word(word))
        {
            return Node { span: tree.span.clone(), kind: NodeKind::Constant(Value::Text(word.clone())) };
        }
        self.node(tree, false)
    }
}

/// Results of folded parts beyond this many bytes are not kept.
const MAX_FOLDED: usize = 4_096;

/// Computes a part that has the same result for every object. One that fails is left to fail where it is evaluated, which
/// may be never.
fn fold(node: Node) -> Node {
    let is_fixed = |part: &Node| matches!(part.kind, NodeKind::Constant(_) | NodeKind::Folded { .. });
    let can_fold = match &node.kind {
        NodeKind::Call(call) => call.function.nature == Nature::Pure && call.arguments.iter().flatten().all(is_fixed),
        NodeKind::Compare { left, right, .. } => is_fixed(left) && is_fixed(right),
        NodeKind::Concatenation(parts) => parts.iter().all(is_fixed),
        _ => false,
    };
    if !can_fold {
        return node;
    }
    let nothing = Attributes::new();
    let context = Context::new(&nothing, Timestamp::UNIX_EPOCH);
    let result = match (Frame { context: &context, recorder: None }).eval(&node) {
        Ok(Datum::Moment(moment)) => Folded::Moment(moment),
        // What `Null` means beyond its value would be lost.
        Ok(Datum::Clear) => return node,
        Ok(datum) => Folded::Value(datum.into_value()),
        Err(_) => return node,
    };
    let is_small = match &result {
        Folded::Moment(_) => true,
        Folded::Value(Value::Text(text)) => text.len() <= MAX_FOLDED,
        Folded::Value(Value::List(values)) => values.len() <= MAX_FOLDED / 32,
        Folded::Value(_) => true,
    };
    if !is_small {
        return node;
    }
    Node { span: node.span.clone(), kind: NodeKind::Folded { result, original: Box::new(node) } }
}
