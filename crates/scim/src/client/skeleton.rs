//! The outline of a class's resources, learned from the paths of the changes: where in the JSON each path's value stands.
//!
//! A job sends the same paths for every person, so that finding a path's place, its type and the bytes around its value is
//! work for once, not for each. [`Skeleton::sort`] gives each value its place, [`Skeleton::write`] walks the outline and
//! writes what has a value. Only plain cases are here: sets on `name`, `name.sub`, `list[name eq "text"].sub`, with or
//! without an extension's URN, each place once. [`BodyWriter`](super::BodyWriter) folds everything else into a tree, and
//! is the measure of what this writes.

use std::sync::Arc;

use provost_model::{AttributePath, AttributeType, Change, ChangeOp, Filter, Operator, Text, Value};

use super::resource::{Form, typed};
use crate::resource::value::boolean;

/// The most paths that are remembered. A job has some dozens.
const MOST_PATHS: usize = 512;

/// Outlines of a class's resources, one in all.
#[derive(Debug, Default)]
pub(super) struct Skeleton {
    /// In the order in which they were first seen, which is mostly the order of the next changes, too.
    known: Vec<Known>,
    nodes: Vec<Node>,
    places: usize,
}

/// A path that was seen. It is kept alive, so that its address stands for it.
#[derive(Debug)]
struct Known {
    path: Arc<AttributePath>,
    /// None where only the general way knows what to do.
    place: Option<usize>,
    form: Form,
}

#[derive(Debug)]
enum Node {
    /// A value.
    Leaf { name: Text, key: Vec<u8>, place: usize },
    /// A complex attribute, or an extension.
    Object { name: Text, key: Vec<u8>, urn: Option<Vec<u8>>, children: Vec<Node> },
    /// Elements that are told apart by one sub-attribute.
    List { name: Text, key: Vec<u8>, by: Text, elements: Vec<Element> },
}

#[derive(Debug)]
struct Element {
    value: Text,
    /// `,{"type":"work"`
    head: Vec<u8>,
    children: Vec<Node>,
}

/// The values of one object by place, each with its change's number.
pub(super) type Sorted<'a> = Vec<Option<(usize, &'a Value, Form)>>;

/// Why changes cannot be sorted.
pub(super) enum Unsorted {
    /// There are paths that were not seen yet.
    New,
    /// Nothing for a skeleton.
    Unusual,
}

impl Skeleton {
    /// Gives each value its place.
    pub fn sort<'a>(&self, changes: &'a [Change]) -> Result<Sorted<'a>, Unsorted> {
        let mut sorted: Sorted<'a> = vec![None; self.places];
        let mut next = 0;
        for (rank, Change { path, op, value, .. }) in changes.iter().enumerate() {
            let at = self.find(path, next).ok_or(Unsorted::New)?;
            next = at + 1;
            let Known { place, form, .. } = &self.known[at];
            let slot = place.and_then(|place| sorted.get_mut(place)).ok_or(Unsorted::Unusual)?;
            let empty = match value {
                Value::Null => path.filter.is_some(),
                Value::Complex(parts) => parts.is_empty(),
                _ => false,
            };
            if *op != ChangeOp::Set || slot.is_some() || empty {
                return Err(Unsorted::Unusual);
            }
            if !value.is_null() {
                *slot = Some((rank, value, *form));
            }
        }
        Ok(sorted)
    }

    /// The path, expected at `next`. Paths of plans that were stored in between are equal, not the same.
    fn find(&self, path: &Arc<AttributePath>, next: usize) -> Option<usize> {
        let (before, after) = self.known.split_at(next.min(self.known.len()));
        let search = |is: &dyn Fn(&Known) -> bool| {
            let after = after.iter().position(is).map(|at| at + before.len());
            after.or_else(|| before.iter().position(is))
        };
        if let Some(expected) = after.first()
            && (Arc::ptr_eq(&expected.path, path) || expected.path == *path)
        {
            return Some(before.len());
        }
        search(&|known| Arc::ptr_eq(&known.path, path)).or_else(|| search(&|known| known.path == *path))
    }

    /// Takes up the paths that are new. False when there are too many to be remembered.
    pub fn learn(&mut self, changes: &[Change], form: impl Fn(&AttributePath) -> Form) -> bool {
        if changes.len() > MOST_PATHS {
            return false;
        }
        if self.known.len() + changes.len() > MOST_PATHS {
            *self = Self::default();
        }
        for Change { path, .. } in changes {
            if self.find(path, 0).is_none() {
                let place = self.place(path);
                self.known.push(Known { path: Arc::clone(path), place, form: form(path) });
            }
        }
        true
    }

    fn place(&mut self, path: &AttributePath) -> Option<usize> {
        let places = &mut self.places;
        let extension = path.schema.as_ref().filter(|urn| !is_core(urn));
        let is = |name: &str| extension.is_none() && path.name.eq_ignore_ascii_case(name);
        if is("schemas") || is("meta") || (extension.is_none() && is_urn(&path.name)) {
            return None;
        }
        let nodes = match extension {
            Some(urn) if is_urn(urn) => object(&mut self.nodes, urn, true)?,
            Some(_) => return None,
            None => &mut self.nodes,
        };
        match (&path.filter, &path.sub) {
            (Some(filter), Some(sub)) => {
                let (by, value) = selector(filter)?;
                // What makes a single e-mail the primary one looks at the type, and not into extensions.
                let strange = path.name.eq_ignore_ascii_case("emails")
                    && (extension.is_some() || !by.eq_ignore_ascii_case("type"));
                if sub.eq_ignore_ascii_case(by) || strange {
                    return None;
                }
                leaf(element(list(nodes, &path.name, by)?, by, value)?, sub, places)
            }
            (Some(_), None) => None,
            // A list of e-mails as one value may have to be changed.
            (None, _) if is("emails") => None,
            (None, Some(sub)) => leaf(object(nodes, &path.name, false)?, sub, places),
            (None, None) => leaf(nodes, &path.name, places),
        }
    }

    /// Appends `,"schemas":[…]`, beginning with `core`, and all values, each with a comma in front.
    pub fn write(&self, out: &mut Vec<u8>, sorted: &Sorted<'_>, core: &str, extra: &[Text]) {
        out.extend_from_slice(b",\"schemas\":[");
        text(out, core);
        for node in &self.nodes {
            if let Node::Object { urn: Some(urn), children, .. } = node
                && children.iter().any(|child| has_value(child, sorted))
            {
                out.extend_from_slice(urn);
            }
        }
        for urn in extra {
            out.push(b',');
            text(out, urn);
        }
        out.push(b']');
        write_all(out, &self.nodes, sorted);
    }
}

/// The nodes of this name as they are spelled here; `None` when another kind of node has the name, or another spelling.
fn known(nodes: &[Node], name: &str) -> Option<Option<usize>> {
    let found = nodes.iter().position(|node| node.name().eq_ignore_ascii_case(name));
    match found {
        Some(at) if nodes[at].name() != name => None,
        found => Some(found),
    }
}

fn leaf(nodes: &mut Vec<Node>, name: &Text, places: &mut usize) -> Option<usize> {
    match known(nodes, name)?.map(|at| &nodes[at]) {
        Some(Node::Leaf { place, .. }) => Some(*place),
        Some(_) => None,
        None => {
            let place = *places;
            *places += 1;
            nodes.push(Node::Leaf { name: name.clone(), key: key(name), place });
            Some(place)
        }
    }
}

fn object<'a>(nodes: &'a mut Vec<Node>, name: &Text, extension: bool) -> Option<&'a mut Vec<Node>> {
    let at = match known(nodes, name)? {
        Some(at) => at,
        None => {
            let urn = extension.then(|| {
                let mut urn = vec![b','];
                text(&mut urn, name);
                urn
            });
            nodes.push(Node::Object { name: name.clone(), key: key(name), urn, children: Vec::new() });
            nodes.len() - 1
        }
    };
    match nodes.get_mut(at) {
        Some(Node::Object { children, .. }) => Some(children),
        _ => None,
    }
}

fn list<'a>(nodes: &'a mut Vec<Node>, name: &Text, by: &Text) -> Option<&'a mut Vec<Element>> {
    let at = match known(nodes, name)? {
        Some(at) => at,
        None => {
            nodes.push(Node::List { name: name.clone(), key: key(name), by: by.clone(), elements: Vec::new() });
            nodes.len() - 1
        }
    };
    match nodes.get_mut(at) {
        Some(Node::List { by: have, elements, .. }) if have == by => Some(elements),
        _ => None,
    }
}

fn element<'a>(elements: &'a mut Vec<Element>, by: &Text, value: &Text) -> Option<&'a mut Vec<Node>> {
    // In another spelling it is the same element, with the first one's spelling.
    let at = match elements.iter().position(|element| element.value.eq_ignore_ascii_case(value)) {
        Some(at) if elements[at].value == *value => at,
        Some(_) => return None,
        None => {
            let mut head = key(by);
            head.insert(1, b'{');
            text(&mut head, value);
            elements.push(Element { value: value.clone(), head, children: Vec::new() });
            elements.len() - 1
        }
    };
    elements.get_mut(at).map(|element| &mut element.children)
}

/// The name and text of a filter such as `type eq "work"`.
fn selector(filter: &Filter) -> Option<(&Text, &Text)> {
    match filter {
        Filter::Term(term) if term.op == Operator::Eq && term.path.is_plain() => match &term.value {
            Value::Text(value) => Some((&term.path.name, value)),
            _ => None,
        },
        _ => None,
    }
}

impl Node {
    fn name(&self) -> &str {
        match self {
            Node::Leaf { name, .. } | Node::Object { name, .. } | Node::List { name, .. } => name,
        }
    }
}

fn has_value(node: &Node, sorted: &Sorted<'_>) -> bool {
    match node {
        Node::Leaf { place, .. } => sorted[*place].is_some(),
        Node::Object { children, .. } => children.iter().any(|child| has_value(child, sorted)),
        Node::List { elements, .. } => {
            elements.iter().any(|element| element.children.iter().any(|child| has_value(child, sorted)))
        }
    }
}

/// Each with a comma in front. What has no value leaves no trace.
fn write_all(out: &mut Vec<u8>, nodes: &[Node], sorted: &Sorted<'_>) {
    for node in nodes {
        match node {
            Node::Leaf { key, place, .. } => {
                if let Some((_, value, form)) = sorted[*place] {
                    out.extend_from_slice(key);
                    write_value(out, value, form);
                }
            }
            Node::Object { key, children, .. } => bracket(out, key, b"{}", |out| write_all(out, children, sorted)),
            Node::List { key, name, elements, .. } => {
                let is_emails = name.eq_ignore_ascii_case("emails");
                bracket(out, key, b"[]", |out| {
                    // In the order of the changes, whoever was met first: some targets take the first e-mail for the main
                    // one.
                    let mut order: Vec<(usize, &Element)> =
                        elements.iter().filter_map(|element| Some((element.first(sorted)?, element))).collect();
                    order.sort_unstable_by_key(|(rank, _)| *rank);
                    for (_, element) in &order {
                        write_element(out, element, sorted);
                    }
                    if let ([(_, only)], true) = (order.as_slice(), is_emails)
                        && only.value.eq_ignore_ascii_case("work")
                        && only.has(sorted, "value")
                        && !only.has(sorted, "primary")
                    {
                        out.pop();
                        out.extend_from_slice(b",\"primary\":true}");
                    }
                });
            }
        }
    }
}

/// One that has a value.
fn write_element(out: &mut Vec<u8>, element: &Element, sorted: &Sorted<'_>) {
    out.extend_from_slice(&element.head);
    write_all(out, &element.children, sorted);
    out.push(b'}');
}

impl Element {
    /// The number of the change that gives its first value; none without a value. Its children are leaves.
    fn first(&self, sorted: &Sorted<'_>) -> Option<usize> {
        let ranks = self.children.iter().filter_map(|child| match child {
            Node::Leaf { place, .. } => sorted[*place].map(|(rank, ..)| rank),
            Node::Object { .. } | Node::List { .. } => None,
        });
        ranks.min()
    }

    fn has(&self, sorted: &Sorted<'_>, name: &str) -> bool {
        self.children.iter().any(|child| child.name().eq_ignore_ascii_case(name) && has_value(child, sorted))
    }
}

/// A key with its members in brackets, or nothing where there are none.
fn bracket(out: &mut Vec<u8>, key: &[u8], brackets: &[u8; 2], members: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(key);
    let open = out.len();
    members(out);
    // The first member's comma becomes the bracket.
    match out.get_mut(open) {
        Some(comma) => {
            *comma = brackets[0];
            out.push(brackets[1]);
        }
        None => out.truncate(start),
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value, form: Form) {
    match (value, form.kind) {
        (Value::Text(flag), Some(AttributeType::Boolean)) if !form.wrap => match boolean(flag) {
            Some(flag) => truth(out, flag),
            None => text(out, flag),
        },
        (Value::Boolean(flag), kind) if kind != Some(AttributeType::String) && !form.wrap => truth(out, *flag),
        (Value::Text(words), kind)
            if !form.wrap && !matches!(kind, Some(AttributeType::Integer | AttributeType::Decimal)) =>
        {
            text(out, words);
        }
        _ => serde_json::to_writer(out, &typed(value, form)).expect("a resource has only JSON values"),
    }
}

fn truth(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// A JSON string.
fn text(out: &mut Vec<u8>, text: &str) {
    // Without a way out of the loop, so that it takes many bytes at a time.
    let special = text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if !special {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("every text can be a JSON string");
    }
}

/// `,"name":`
fn key(name: &str) -> Vec<u8> {
    let mut key = vec![b','];
    text(&mut key, name);
    key.push(b':');
    key
}

/// RFC 7643 section 3.3: extensions have a container of their own, the core schema has not.
fn is_core(urn: &str) -> bool {
    const CORE: &str = "urn:ietf:params:scim:schemas:core:";
    urn.get(..CORE.len()).is_some_and(|start| start.eq_ignore_ascii_case(CORE))
}

pub(super) fn is_urn(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}
