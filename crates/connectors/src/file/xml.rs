//! XML: elements at a path are records, their attributes and child elements are values by simple paths. A document type is
//! refused, so that no entity grows and nothing is fetched; what is not well-formed to its last tag is not read at all.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::{Attributes, Text, Value};
use roxmltree::{Document, Node, ParsingOptions};

use super::cell;
use super::config::Config;
use super::fault::RowFault;
use super::format::item_error;
use super::input::Input;
use super::whole::{self, Part, Whole};

const MAX_NODES: u32 = 8_000_000;
const MAX_DEPTH: usize = 200;
/// Says in an element that it has no value.
const NIL: (&str, &str) = ("http://www.w3.org/2001/XMLSchema-instance", "nil");

/// The way from a record to a value: child elements, then an attribute or the text. Names without their namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub elements: Vec<Text>,
    pub attribute: Option<Text>,
}

impl Way {
    /// `name/first`, `@no`, `address/@country`, or `.` for the record's own text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut way = Self { elements: Vec::new(), attribute: None };
        if text == "." {
            return Some(way);
        }
        let mut steps = text.split('/').peekable();
        while let Some(step) = steps.next() {
            match step.strip_prefix('@') {
                Some(name) if is_name(name) && steps.peek().is_none() => way.attribute = Some(name.into()),
                None if is_name(step) => way.elements.push(step.into()),
                _ => return None,
            }
        }
        Some(way)
    }
}

fn is_name(name: &str) -> bool {
    let marks = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    name.starts_with(|first: char| first.is_alphabetic() || first == '_') && name.chars().all(marks)
}

/// Reads the file as a whole.
pub(super) fn open(config: &Arc<Config>) -> Result<Whole, ConnectorError> {
    let mut input = Input::open(config)?;
    let bytes = whole::read(&mut input, config)?;
    let unreadable = |message: String, hint: &str| {
        Err(ConnectorError::new(ErrorCode::Unreadable, format!("{} {message}", config.file)).hint(hint))
    };
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return unreadable(
            "holds bytes that its encoding does not know".into(),
            "set `encoding` to what the export writes",
        );
    };
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(roxmltree::Error::DtdDetected) => {
            return unreadable("has a document type (DTD), which is not read".into(), "let the export leave it out");
        }
        Err(error) => {
            return unreadable(
                format!("is no whole XML document: {}", safe(&error)),
                "it may be cut short, or still be written; export it again",
            );
        }
    };
    if depth(&document) > MAX_DEPTH {
        return unreadable(format!("nests elements more than {MAX_DEPTH} deep"), "export a flatter document");
    }
    let path = &config.shape.record;
    let mut parents = vec![document.root()];
    let mut records = Vec::new();
    for (at, name) in path.iter().enumerate() {
        let children = parents.iter().flat_map(|node| node.children());
        let found: Vec<Node<'_, '_>> = children.filter(|child| is(child, name)).collect();
        if at + 1 == path.len() {
            records = found;
            break;
        }
        if found.is_empty() {
            let message = format!("has no element `{}`", path[..=at].join("/"));
            return unreadable(message, "check `record`: the path of the records' elements from the document's root");
        }
        parents = found;
    }
    let mut lines = Lines { text, at: 0, line: 1 };
    let parts: Vec<Part> = records.into_iter().map(|node| part(node, text, &mut lines, config)).collect();
    let columns = config.rename.iter().map(|(_, name)| name.clone()).collect();
    let check = CheckResult::ok("records", format!("{} elements `{}`", parts.len(), path.join("/")));
    Ok(Whole::new(config, input, parts, columns, vec![check]))
}

/// Counts lines on the way through the text, once for all records.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn to(&mut self, place: usize) -> u64 {
        let more = self.text.as_bytes().get(self.at..place).unwrap_or_default();
        self.line += more.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = self.at.max(place);
        self.line
    }
}

fn part(node: Node<'_, '_>, text: &str, lines: &mut Lines<'_>, config: &Config) -> Part {
    let range = node.range();
    let line = lines.to(range.start);
    let raw = text.as_bytes()[range].to_vec();
    let mut attributes = Attributes::with_capacity(config.rename.len());
    for (at, ((_, name), way)) in config.rename.iter().zip(&config.shape.ways).enumerate() {
        match value(node, way, name, config) {
            Ok(value) => attributes.push(name.clone(), value),
            Err(message) => {
                let hint = "change the paths in `columns`, or the export";
                let error = item_error(ErrorCode::InvalidValue, message, hint).at(name.clone());
                let fault = RowFault { line, column: Some(at), id: None, error };
                return Part { line, raw, attributes: Err(fault) };
            }
        }
    }
    Part { line, raw, attributes: Ok(attributes) }
}

fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn value(record: Node<'_, '_>, way: &Way, name: &str, config: &Config) -> Result<Value, String> {
    let mut nodes = vec![record];
    for step in &way.elements {
        nodes = nodes.iter().flat_map(|node| node.children().filter(|child| is(child, step))).collect();
    }
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let text = match &way.attribute {
            Some(attribute) => {
                let mut found = node.attributes().filter(|have| have.name() == attribute.as_str());
                let Some(first) = found.next() else { continue };
                if found.next().is_some() {
                    return Err(format!("`{name}` is an attribute of two namespaces"));
                }
                first.value().to_owned()
            }
            None if node.attribute(NIL) == Some("true") => continue,
            None => {
                if way.elements.is_empty() {
                    node.children().filter(Node::is_text).filter_map(|child| child.text()).collect()
                } else if node.children().any(|child| child.is_element()) {
                    return Err(format!("`{name}` holds elements and no text alone"));
                } else {
                    node.children().filter(Node::is_text).filter_map(|child| child.text()).collect::<String>()
                }
            }
        };
        let text = if config.trim { text.trim() } else { &text };
        if text.len() > config.max_field_bytes {
            return Err(format!("`{name}` has {} bytes, more than {}", text.len(), config.max_field_bytes));
        }
        if !cell::is_null(text, config) {
            values.push(Value::text(text));
        }
    }
    let always = config.lists.iter().any(|list| list.eq_ignore_ascii_case(name));
    Ok(match values.len() {
        0 => Value::Null,
        1 if !always => values.pop().unwrap_or_default(),
        _ => Value::List(values),
    })
}

/// How deep elements nest, without a call per level.
fn depth(document: &Document<'_>) -> usize {
    let (mut node, mut depth, mut most) = (document.root(), 0, 0);
    loop {
        if let Some(child) = node.first_child() {
            (node, depth) = (child, depth + 1);
            most = most.max(depth);
            continue;
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            match node.parent() {
                Some(parent) => (node, depth) = (parent, depth - 1),
                None => return most,
            }
        }
    }
}

/// The parser's message without what the document holds.
fn safe(error: &roxmltree::Error) -> String {
    let place = error.pos();
    let what = match error {
        roxmltree::Error::UnclosedRootNode => "its root element is not closed",
        roxmltree::Error::UnexpectedEndOfStream => "it ends too early",
        roxmltree::Error::UnexpectedCloseTag(..) => "a tag is closed that is not open",
        roxmltree::Error::DuplicatedAttribute(..) => "an element has an attribute twice",
        roxmltree::Error::UnknownEntityReference(..) => "an entity is not known",
        roxmltree::Error::NodesLimitReached => "it has too many nodes",
        roxmltree::Error::NoRootNode => "it has no root element",
        _ => "it is not well-formed",
    };
    format!("{what}, line {}, column {}", place.row, place.col)
}
