//! PATCH (RFC 7644 section 3.5.2): reading the message, applying it to a resource, and splitting off group members.
//!
//! The clients of the field are understood: `op` in any letter case, string booleans, objects without path whose keys are
//! dotted or qualified by a URN, member removal by a list of values. [`apply`](Patch::apply) needs the whole resource;
//! [`split_members`](Patch::split_members) turns what concerns members into a delta, so that nobody loads 100,000.

mod apply;
mod element;
mod members;

use provost_model::{AttributePath, Attributes, Text, Value};

pub use members::{MemberChanges, PatchPlan};

use crate::{Policy, ScimError, TypeSchema, urn};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchOp {
    /// RFC 7644 section 3.5.2.1.
    Add,
    /// RFC 7644 section 3.5.2.2.
    Remove,
    /// RFC 7644 section 3.5.2.3.
    Replace,
}

impl PatchOp {
    /// The word on the wire, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            PatchOp::Add => "add",
            PatchOp::Remove => "remove",
            PatchOp::Replace => "replace",
        }
    }
}

/// One operation, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchOperation {
    /// What it does.
    pub op: PatchOp,
    /// Where; none for an object whose keys are paths.
    pub path: Option<AttributePath>,
    /// `None` when the member is missing; [`Value::Null`] when it is null.
    pub value: Option<Value>,
}

/// A PATCH message: its operations in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// In the order they apply.
    pub operations: Vec<PatchOperation>,
}

/// What a PATCH did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatchOutcome {
    /// The attributes that differ from before, in the schema's spelling: `userName`, `urn:…:User:manager`. Empty when
    /// nothing changed; then `lastModified` and version stay too.
    pub changed: Vec<Text>,
}

impl PatchOutcome {
    /// Whether everything is as it was.
    pub fn is_noop(&self) -> bool {
        self.changed.is_empty()
    }
}

impl Patch {
    /// Reads the body of a PATCH request. What is no PatchOp message is 400 `invalidSyntax`, a malformed path
    /// `invalidPath`, a malformed value filter `invalidFilter`.
    pub fn from_json(body: &[u8], policy: &Policy) -> Result<Self, ScimError> {
        let message: Attributes = serde_json::from_slice(body)
            .map_err(|error| ScimError::invalid_syntax(format!("no JSON object: {error}")))?;
        Self::from_message(message, policy)
    }

    /// Like [`from_json`](Patch::from_json), from a body that is read already (a Bulk operation's `data`).
    pub fn from_message(mut message: Attributes, policy: &Policy) -> Result<Self, ScimError> {
        let is_patch = |value: &Value| value.as_text().is_some_and(|urn| urn.eq_ignore_ascii_case(urn::PATCH_OP));
        if !message.find("schemas").and_then(Value::as_list).is_some_and(|urns| urns.iter().any(is_patch)) {
            return Err(ScimError::invalid_syntax(format!("schemas does not hold {}", urn::PATCH_OP)));
        }
        let operations = match message.remove("Operations") {
            Some(Value::List(operations)) if !operations.is_empty() => operations,
            _ => return Err(ScimError::invalid_syntax("Operations is missing: a PATCH has a list of operations")),
        };
        let read = |(at, operation)| {
            operation_from(operation, policy).map_err(|error| error.within(format_args!("operation {at}")))
        };
        Ok(Self { operations: (1..).zip(operations).map(read).collect::<Result<_, _>>()? })
    }

    /// Applies all operations in order, or none: on an error the resource is as it was. `resource` is a stored resource
    /// (see [`crate::resource`]).
    ///
    /// Errors: `invalidPath` for an attribute the type does not have, `noTarget` for a `remove` without path and a
    /// `replace` whose filter matches nothing, `mutability` for what is readOnly, set and immutable, or required and
    /// removed, `invalidValue` for values of a wrong type.
    pub fn apply(
        &self,
        types: &TypeSchema,
        policy: &Policy,
        resource: &mut Attributes,
    ) -> Result<PatchOutcome, ScimError> {
        let mut work = resource.clone();
        for (at, operation) in (1..).zip(&self.operations) {
            apply::operation(types, policy, &mut work, operation)
                .map_err(|error| error.within(format_args!("operation {at}")))?;
        }
        let lacked = crate::resource::missing(types, resource);
        if let Some(name) = crate::resource::missing(types, &work).into_iter().find(|name| !lacked.contains(name)) {
            return Err(ScimError::invalid_value(format!("{name} is required")));
        }
        let changed = changed(types, resource, &work);
        if !changed.is_empty() {
            *resource = work;
        }
        Ok(PatchOutcome { changed })
    }
}

fn operation_from(operation: Value, policy: &Policy) -> Result<PatchOperation, ScimError> {
    let Value::Complex(mut parts) = operation else {
        return Err(ScimError::invalid_syntax(format!("an operation is an object, found {}", operation.kind())));
    };
    let is =
        |word: &str, op: PatchOp| word == op.as_str() || (policy.any_op_case && word.eq_ignore_ascii_case(op.as_str()));
    let op = match parts.find("op").and_then(Value::as_text) {
        Some(word) if is(word, PatchOp::Add) => PatchOp::Add,
        Some(word) if is(word, PatchOp::Remove) => PatchOp::Remove,
        Some(word) if is(word, PatchOp::Replace) => PatchOp::Replace,
        Some(word) => return Err(ScimError::invalid_syntax(format!("op is add, remove or replace, found `{word}`"))),
        None => return Err(ScimError::invalid_syntax("op is missing")),
    };
    let path = match parts.find("path") {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.trim().is_empty() => None,
        Some(Value::Text(text)) => Some(parse_path(text)?),
        Some(other) => return Err(ScimError::invalid_path(format!("path is a string, found {}", other.kind()))),
    };
    let value = parts.remove("value");
    if op == PatchOp::Remove && !policy.remove_by_value && value.as_ref().is_some_and(|value| !value.is_unassigned()) {
        return Err(ScimError::invalid_value("remove takes no value: name what goes by a filter in the path"));
    }
    Ok(PatchOperation { op, path, value })
}

/// A path as PATCH writes it: `invalidFilter` when what is wrong is inside brackets, else `invalidPath`.
pub(crate) fn parse_path(text: &str) -> Result<AttributePath, ScimError> {
    text.trim().parse().map_err(|error: provost_model::filter::FilterError| {
        let inside = text.find('[').is_some_and(|bracket| error.span.start > bracket);
        let closed = text.rfind(']').is_some_and(|bracket| error.span.start > bracket);
        let detail = format!("path `{text}`: {error}");
        if inside && !closed { ScimError::invalid_filter(detail) } else { ScimError::invalid_path(detail) }
    })
}

fn changed(types: &TypeSchema, before: &Attributes, after: &Attributes) -> Vec<Text> {
    let mut names = Vec::new();
    let none = Attributes::new();
    differences(before, after, |name| {
        let Some(schema) = types.extension(name) else {
            names.push(name.into());
            return;
        };
        let inside = |all: &Attributes| all.find(name).and_then(Value::as_complex).cloned();
        let (before, after) = (inside(before), inside(after));
        differences(before.as_ref().unwrap_or(&none), after.as_ref().unwrap_or(&none), |attribute| {
            names.push(format!("{}:{attribute}", schema.id).into());
        });
    });
    names
}

fn differences(before: &Attributes, after: &Attributes, mut differs: impl FnMut(&str)) {
    for (name, value) in after.iter() {
        if before.find(name) != Some(value) {
            differs(name);
        }
    }
    for (name, _) in before.iter() {
        if after.find(name).is_none() {
            differs(name);
        }
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
