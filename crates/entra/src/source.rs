//! Where a mapping's value comes from: Entra's tree of `{type, name, expression, parameters}` and the mapping language.

use std::fmt::Write as _;

use provost_lang::{Comparison, Expression, Origin, Tree, TreeKind, function};
use provost_model::{Text, Value};
use serde_json::{Value as Json, json};

use crate::fields::{Fields, Reading};
use crate::note::NoteKind;

/// The computed attribute that is true for whoever left: out of scope, unassigned, deleted or blocked.
const SOFT_DELETED: &str = "IsSoftDeleted";
/// The attribute that says the same of people who are still there.
pub(crate) const ACCOUNT_ENABLED: &str = "accountEnabled";

/// The parameter keys of functions whose slots may stay empty, in the order of the slots. Others stand as they are given.
const KEYS: &[(&str, &[&str])] = &[
    (
        "Replace",
        &[
            "source",
            "Find",
            "RegularExpression",
            "RegularExpressionGroupName",
            "Replacement",
            "ReplacementPropertyName",
            "Template",
        ],
    ),
    ("Switch", &["source", "defaultValue"]),
];
/// The key of what follows the last one of [`KEYS`].
const SWITCH_REST: &str = "switchValue";

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::NotEqual,
    Comparison::Less,
    Comparison::LessOrEqual,
    Comparison::Greater,
    Comparison::GreaterOrEqual,
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum SourceType {
    Attribute,
    Constant,
    Function,
}

const TYPES: &[(&str, SourceType)] =
    &[("Attribute", SourceType::Attribute), ("Constant", SourceType::Constant), ("Function", SourceType::Function)];

fn tree(kind: TreeKind) -> Tree {
    Tree { span: 0..0, kind }
}

pub(crate) fn text_constant(text: &str) -> Tree {
    tree(TreeKind::Constant(Value::text(text)))
}

pub(crate) fn attribute(name: &str) -> Tree {
    tree(TreeKind::Attribute(Text::from(name)))
}

fn call(name: &str, arguments: Vec<Option<Tree>>) -> Tree {
    tree(TreeKind::Call { name: Text::from(name), name_span: 0..0, arguments })
}

/// The expression of a source: its text where it has one, else rebuilt from its parts. That both agree is checked.
pub(crate) fn read(reading: &mut Reading<'_>, source: Fields<'_>) -> Option<String> {
    let (path, offset) = (source.path.clone(), source.offset);
    let part = Part::read(reading, source)?;
    let rebuilt = part.rebuild();
    let text = match (&part.expression, part.kind) {
        (Some(text), SourceType::Function) => text.clone(),
        _ => rebuilt.to_string(),
    };
    if !part.parameters.is_empty() && part.expression.is_some() {
        let said = Expression::parse(&text);
        if said.errors.is_empty() && shape(&said.tree) != shape(&rebuilt) {
            let message = format!("`expression` was taken; `parameters` say something else: {rebuilt}");
            reading.note(NoteKind::Lost, &path, offset, message);
        }
    }
    Some(text)
}

/// One node of the tree.
struct Part {
    kind: SourceType,
    name: Option<String>,
    expression: Option<String>,
    parameters: Vec<(String, Part)>,
}

impl Part {
    fn read(reading: &mut Reading<'_>, mut fields: Fields<'_>) -> Option<Self> {
        let (path, offset) = (fields.path.clone(), fields.offset);
        let faults = reading.faults.len();
        let kind = fields.word(reading, "type", TYPES);
        let given = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        // A constant may be blanks.
        let name = fields.text(reading, "name").filter(|name| !name.is_empty()).map(str::to_owned);
        let expression = fields.text(reading, "expression").and_then(given);
        let mut parameters = Vec::new();
        for mut parameter in fields.objects(reading, "parameters") {
            let key = parameter.text(reading, "key").unwrap_or_default().to_owned();
            let value = parameter.object(reading, "value");
            match value {
                Some(value) => parameters.extend(Part::read(reading, value).map(|part| (key, part))),
                None => reading.note(NoteKind::Label, &parameter.path, parameter.offset, "a parameter without a value"),
            }
            parameter.end(reading, &[]);
        }
        fields.end(reading, &["id"]);
        if name.is_none() && expression.is_none() && reading.faults.len() == faults {
            reading.fault(&path, offset, "the source has neither `name` nor `expression`");
        }
        if kind.is_none() && reading.faults.len() == faults {
            reading.fault(&path, offset, "the source has no `type`");
        }
        Some(Self { kind: kind?, name, expression, parameters })
    }

    fn rebuild(&self) -> Tree {
        let parsed = |text: &String| Some(Expression::parse(text)).filter(|parsed| parsed.errors.is_empty());
        let from_text = self.expression.as_ref().and_then(parsed).map(|parsed| parsed.tree);
        let name = self.name.as_deref().or(self.expression.as_deref()).unwrap_or_default();
        match (self.kind, from_text) {
            (SourceType::Attribute, Some(found)) if matches!(found.kind, TreeKind::Attribute(_)) => found,
            (SourceType::Attribute, _) => attribute(name.trim()),
            (SourceType::Constant, Some(found)) if matches!(found.kind, TreeKind::Constant(_)) => found,
            // Bare keywords, such as the interval of a comparison of texts.
            (SourceType::Constant, Some(found)) if matches!(found.kind, TreeKind::Word(_)) && self.name.is_none() => {
                found
            }
            (SourceType::Constant, _) => text_constant(name),
            (SourceType::Function, Some(found)) if self.parameters.is_empty() => found,
            (SourceType::Function, _) => self.rebuild_call(name),
        }
    }

    fn rebuild_call(&self, name: &str) -> Tree {
        let mut parts = self.parameters.iter().map(|(key, part)| (key.as_str(), part.rebuild()));
        if let Some(operator) = COMPARISONS.into_iter().find(|operator| operator.as_str() == name)
            && self.parameters.len() == 2
            && let (Some((_, left)), Some((_, right))) = (parts.next(), parts.next())
        {
            return tree(TreeKind::Compare { operator, left: Box::new(left), right: Box::new(right) });
        }
        let keys = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(&[][..], |(_, keys)| keys);
        let mut arguments: Vec<Option<Tree>> = vec![None; keys.len()];
        for (key, part) in self.parameters.iter().map(|(key, part)| (key.as_str(), part.rebuild())) {
            match keys.iter().position(|known| known.eq_ignore_ascii_case(key)) {
                Some(at) if arguments[at].is_none() => arguments[at] = Some(part),
                _ => arguments.push(Some(part)),
            }
        }
        call(name, arguments)
    }
}

/// What two ways of writing the same call have in common: empty slots and letter case of function names do not count.
fn shape(tree: &Tree) -> String {
    match &tree.kind {
        TreeKind::Call { name, arguments, .. } => {
            let mut text = format!("{}(", name.to_ascii_lowercase());
            for argument in arguments.iter().flatten() {
                let _ = write!(text, "{},", shape(argument));
            }
            text + ")"
        }
        TreeKind::Compare { operator, left, right } => {
            format!("({}{}{})", shape(left), operator.as_str(), shape(right))
        }
        TreeKind::Concatenation(parts) => format!("({})", parts.iter().map(shape).collect::<Vec<_>>().join("&")),
        // A number may stand in quotes.
        TreeKind::Constant(value) => value.to_text().map_or_else(|| "Null".to_owned(), |text| text.into_owned()),
        TreeKind::Word(word) => word.to_string(),
        _ => tree.to_string(),
    }
}

/// Whether the expression reads [`SOFT_DELETED`].
pub(crate) fn asks_for_leavers(text: &str) -> bool {
    Expression::compile(text)
        .is_ok_and(|expression| expression.attributes().iter().any(|name| name.eq_ignore_ascii_case(SOFT_DELETED)))
}

/// The same mapping for people who are there: Provost's reaction to leavers does the rest. `has_enabled` says whether the
/// source tells of blocked accounts.
pub(crate) fn without_leavers(text: &str, has_enabled: bool) -> String {
    let found = Expression::parse(text).tree;
    let on = if has_enabled { attribute(ACCOUNT_ENABLED) } else { text_constant("True") };
    let left = if has_enabled { call("Not", vec![Some(attribute(ACCOUNT_ENABLED))]) } else { text_constant("False") };
    if let TreeKind::Call { name, arguments, .. } = &found.kind {
        let texts: Vec<Option<&str>> = arguments.iter().map(|slot| slot.as_ref().and_then(constant)).collect();
        let reads = arguments.first().and_then(Option::as_ref).is_some_and(is_soft_deleted);
        if reads && name.eq_ignore_ascii_case("Not") {
            return on.to_string();
        }
        if reads && name.eq_ignore_ascii_case("Switch") {
            let pairs: Vec<_> = texts.get(2..).unwrap_or_default().chunks(2).collect();
            let standard = |key: &str, value: &str| pairs.contains(&&[Some(key), Some(value)][..]);
            if pairs.len() == 2 && standard("True", "False") && standard("False", "True") {
                return on.to_string();
            }
            // As `with_leavers` writes it.
            if let ([_, Some(active), _, Some(_)], Some(Some("True"))) = (arguments.as_slice(), texts.get(2)) {
                return active.to_string();
            }
        }
    }
    substitute(found, &left).to_string()
}

/// The mapping of the attribute that switches accounts on and off, as Entra wants it: off for whoever left.
pub(crate) fn with_leavers(active: Tree, off: &str) -> Tree {
    let arguments =
        vec![Some(attribute(SOFT_DELETED)), Some(active), Some(text_constant("True")), Some(text_constant(off))];
    call("Switch", arguments)
}

fn is_soft_deleted(tree: &Tree) -> bool {
    matches!(&tree.kind, TreeKind::Attribute(name) if name.eq_ignore_ascii_case(SOFT_DELETED))
}

fn constant(tree: &Tree) -> Option<&str> {
    match &tree.kind {
        TreeKind::Constant(value) => value.as_text(),
        _ => None,
    }
}

fn substitute(found: Tree, by: &Tree) -> Tree {
    if is_soft_deleted(&found) {
        return by.clone();
    }
    map_parts(found, &mut |part| Ok::<_, ()>(substitute(part, by))).unwrap_or_else(|()| by.clone())
}

/// The tree with each of its direct parts replaced.
fn map_parts<E>(found: Tree, change: &mut dyn FnMut(Tree) -> Result<Tree, E>) -> Result<Tree, E> {
    let kind = match found.kind {
        TreeKind::Call { name, name_span, arguments } => {
            let arguments =
                arguments.into_iter().map(|slot| slot.map(&mut *change).transpose()).collect::<Result<_, E>>()?;
            TreeKind::Call { name, name_span, arguments }
        }
        TreeKind::Compare { operator, left, right } => {
            TreeKind::Compare { operator, left: Box::new(change(*left)?), right: Box::new(change(*right)?) }
        }
        TreeKind::Concatenation(parts) => {
            TreeKind::Concatenation(parts.into_iter().map(change).collect::<Result<_, E>>()?)
        }
        other => other,
    };
    Ok(Tree { span: found.span, kind })
}

/// An expression in the words that Entra has, or why it has none for it.
pub(crate) fn to_entra(text: &str) -> Result<Tree, String> {
    let expression = Expression::compile(text).map_err(|errors| {
        errors.first().map_or_else(|| "it cannot be read".to_owned(), |error| format!("it cannot be read: {error}"))
    })?;
    if matches!(expression.tree().kind, TreeKind::Compare { .. }) {
        return Err("Entra has comparisons only inside a function such as `IIF`".to_owned());
    }
    rewrite(expression.tree().clone())
}

fn rewrite(found: Tree) -> Result<Tree, String> {
    let found = match found.kind {
        TreeKind::Constant(Value::Boolean(value)) => return Ok(text_constant(if value { "True" } else { "False" })),
        TreeKind::Constant(Value::Null) => return Err("Entra has no constant `Null`".to_owned()),
        TreeKind::Call { ref name, .. } if function(name).is_some_and(|known| known.origin == Origin::Provost) => {
            return Err(format!("Entra has no function `{name}`"));
        }
        // `&` is known to Entra's cloud sync alone; a Join without separator passes over nulls as `&` does.
        TreeKind::Concatenation(parts) => {
            let arguments = std::iter::once(text_constant("")).chain(parts).map(Some).collect();
            call("Join", arguments)
        }
        _ => found,
    };
    map_parts(found, &mut rewrite)
}

/// The tree as Entra's parser gives it.
pub(crate) fn write(tree: &Tree, text: &str) -> Json {
    let part = |tree: &Tree| write(tree, &tree.to_string());
    let (kind, name, parameters): (_, String, Vec<Json>) = match &tree.kind {
        TreeKind::Attribute(name) => ("Attribute", name.to_string(), Vec::new()),
        TreeKind::Call { name, arguments, .. } => {
            let canonical = function(name).map_or(name.as_str(), |known| known.name);
            let slots = arguments.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.as_ref()?)));
            let parameters =
                slots.map(|(at, slot)| json!({"key": key_of(canonical, arguments.len(), at), "value": part(slot)}));
            ("Function", canonical.to_owned(), parameters.collect())
        }
        TreeKind::Compare { operator, left, right } => {
            let parameters =
                [("left", left), ("right", right)].map(|(key, side)| json!({"key": key, "value": part(side)}));
            ("Function", operator.as_str().to_owned(), parameters.into())
        }
        TreeKind::Constant(value) => ("Constant", value.to_text().unwrap_or_default().into_owned(), Vec::new()),
        _ => ("Constant", text.to_owned(), Vec::new()),
    };
    json!({"type": kind, "name": name, "expression": text, "parameters": parameters})
}

fn key_of(name: &str, count: usize, at: usize) -> String {
    if let Some((_, keys)) = KEYS.iter().find(|(known, _)| *known == name) {
        return keys.get(at).map_or(SWITCH_REST, |key| key).to_owned();
    }
    let forms = function(name).map_or(&[][..], |known| known.forms);
    let form = forms.iter().find(|form| form.parameters.len() == count).or(forms.last());
    form.and_then(|form| form.parameter(at))
        .map_or_else(|| format!("argument{}", at + 1), |parameter| parameter.name.to_owned())
}
