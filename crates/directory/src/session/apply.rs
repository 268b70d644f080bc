//! Operations as writes: paths resolved once per call, values checked, then one transaction for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Text, Value};

use super::error::{store_error, to_connector, unknown_class};
use super::place::Place;
use crate::kind::{Kind, manager, set_manager};
use crate::resource::{etag, version_of};
use crate::write::{Edit, MemberEdit, What, Write};
use crate::{Directory, DirectoryError, Member};

/// Paths by the address of what the operations share, which outlives the call. Operations mostly have the same paths in the
/// same order, so that the one behind the last is tried first.
#[derive(Default)]
struct Places {
    found: Vec<(Address, Result<Arc<Place>, DirectoryError>)>,
    by_address: HashMap<Address, usize>,
    next: usize,
}

type Address = (*const Kind, *const AttributePath);

impl Places {
    fn get(&mut self, kind: &Kind, path: &Arc<AttributePath>) -> Result<&Arc<Place>, &DirectoryError> {
        let address = (std::ptr::from_ref(kind), Arc::as_ptr(path));
        let expected = [self.next, 0].into_iter().find(|at| self.found.get(*at).is_some_and(|(a, _)| *a == address));
        let at = expected.or_else(|| self.by_address.get(&address).copied()).unwrap_or_else(|| {
            self.found.push((address, resolve(kind, path).map(Arc::new)));
            self.by_address.insert(address, self.found.len() - 1);
            self.found.len() - 1
        });
        self.next = at + 1;
        self.found[at].1.as_ref()
    }
}

fn resolve(kind: &Kind, path: &AttributePath) -> Result<Place, DirectoryError> {
    let place = Place::resolve(kind, path)?;
    if let Place::Attribute(leaf) = &place {
        leaf.check_writable()?;
    }
    Ok(place)
}

pub(super) async fn run(directory: &Directory, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
    if let Err(error) = cx.check() {
        return operations.iter().map(|operation| Applied::failed(operation.id.clone(), error.clone())).collect();
    }
    let (mut writes, mut refused) = (Vec::with_capacity(operations.len()), Vec::new());
    {
        let mut places = Places::default();
        for operation in operations {
            match write(directory, operation, &mut places) {
                Ok(write) => {
                    writes.push(write);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
    }
    let mut outcomes = match directory.execute(writes).await {
        Ok(outcomes) => Ok(outcomes.into_iter()),
        Err(failure) if failure.unknown => {
            let message = format!("the connection to the directory's store broke during the commit: {}", failure.error);
            Err(ConnectorError::new(ErrorCode::UnknownOutcome, message))
        }
        Err(failure) => Err(store_error(&failure.error)),
    };
    let outcome = |(operation, refused): (&Operation, Option<ConnectorError>)| {
        let id = operation.id.clone();
        let written = match (refused, &mut outcomes) {
            (Some(error), _) => return Applied::failed(id, error),
            (None, Err(error)) => return Applied::failed(id, error.clone()),
            (None, Ok(outcomes)) => outcomes.next().expect("one outcome for each write"),
        };
        match written {
            Ok(written) => Applied::done(
                id,
                Done {
                    etag: (operation.action != Action::Delete).then(|| etag(written.resource.version)),
                    target_id: written.resource.id,
                    changed: Attributes::new(),
                    requests: 1,
                    exchange: None,
                },
            ),
            Err(error) => Applied::failed(id, to_connector(&error)),
        }
    };
    operations.iter().zip(refused).map(outcome).collect()
}

fn write(directory: &Directory, operation: &Operation, places: &mut Places) -> Result<Write, ConnectorError> {
    let kind = directory.kind(&operation.class).ok_or_else(|| unknown_class(&operation.class))?;
    // A tag that is none of ours matches no version.
    let if_version = operation.if_match.as_deref().map(|tag| version_of(tag).into_iter().collect());
    let what = match operation.action {
        Action::Create => {
            let mut attributes = Attributes::with_capacity(operation.changes.len() + 1);
            let mut members = MemberEdit::Keep;
            for change in &operation.changes {
                match Step::read(kind, change, places)? {
                    Step::Members(op, ids) => change_members(&mut members, op, ids),
                    step => step.apply(&mut attributes).map_err(|error| to_connector(&error))?,
                }
            }
            let members = match members {
                MemberEdit::Change { add, .. } | MemberEdit::Replace(add) => add,
                MemberEdit::Keep | MemberEdit::Inline => Vec::new(),
            };
            What::Create { attributes, members }
        }
        Action::Update | Action::Enable | Action::Disable => edit(kind, operation, if_version, places)?,
        Action::Delete => What::Delete { id: target(operation)?, if_version },
        Action::Unlink => {
            let message = format!("{} is the engine's own, and nothing to write", operation.action);
            return Err(ConnectorError::new(ErrorCode::Internal, message));
        }
    };
    Ok(Write { kind: kind.name.clone(), what })
}

fn target(operation: &Operation) -> Result<ObjectId, ConnectorError> {
    operation
        .target_id
        .clone()
        .ok_or_else(|| ConnectorError::new(ErrorCode::Internal, format!("the {} names no object", operation.action)))
}

fn edit(
    kind: &Kind,
    operation: &Operation,
    if_version: Option<Vec<i64>>,
    places: &mut Places,
) -> Result<What, ConnectorError> {
    let active = match operation.action {
        Action::Enable => Some(true),
        Action::Disable => Some(false),
        _ => None,
    };
    if active.is_some() && kind.types.attribute("active").is_none() {
        let message = format!("a {} cannot be switched on and off", kind.name);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message));
    }
    let mut members = MemberEdit::Keep;
    let mut steps = Vec::with_capacity(operation.changes.len());
    for change in &operation.changes {
        match Step::read(kind, change, places)? {
            Step::Members(op, ids) => change_members(&mut members, op, ids),
            step => steps.push(step),
        }
    }
    let edit: Edit = Box::new(move |attributes| {
        steps.into_iter().try_for_each(|step| step.apply(attributes))?;
        match active {
            // An absent flag counts as true.
            Some(true) if attributes.find("active").is_none() => {}
            Some(active) => attributes.set("active", active),
            None => {}
        }
        Ok(())
    });
    Ok(What::Edit { id: target(operation)?, if_version, edit, members })
}

/// One change, ready to be made.
enum Step {
    Attribute(Arc<Place>, ChangeOp, Value),
    Manager(ChangeOp, Option<Text>),
    Members(ChangeOp, Vec<ObjectId>),
}

impl Step {
    fn read(kind: &Kind, change: &Change, places: &mut Places) -> Result<Self, ConnectorError> {
        let place = places.get(kind, &change.path).map_err(to_connector)?;
        let step = match &**place {
            Place::Attribute(leaf) => {
                leaf.conform(change.value.clone()).map(|value| Step::Attribute(place.clone(), change.op, value))
            }
            Place::Manager => ids(&change.path, &change.value).and_then(|mut ids| match ids.len() {
                0 | 1 => Ok(Step::Manager(change.op, ids.pop().map(|id| id.0))),
                _ => Err(DirectoryError::invalid(change.path.to_string(), "has a single value")),
            }),
            Place::Members => ids(&change.path, &change.value).map(|ids| Step::Members(change.op, ids)),
        };
        step.map_err(|error| to_connector(&error))
    }

    /// Members are no attribute: they are [`change_members`]'s.
    fn apply(self, attributes: &mut Attributes) -> Result<(), DirectoryError> {
        match self {
            Step::Attribute(place, op, value) => match &*place {
                Place::Attribute(leaf) => leaf.change(attributes, op, value),
                Place::Manager | Place::Members => Ok(()),
            },
            Step::Manager(ChangeOp::Set | ChangeOp::Add, id) => {
                set_manager(attributes, id);
                Ok(())
            }
            Step::Manager(op, id) => {
                // Only the one that is named is taken away.
                if op == ChangeOp::Unset || id.is_none() || manager(attributes) == id.as_deref() {
                    set_manager(attributes, None);
                }
                Ok(())
            }
            Step::Members(..) => Ok(()),
        }
    }
}

/// Ids as the engine sends them: texts, references, or elements with a `value`.
fn ids(path: &AttributePath, value: &Value) -> Result<Vec<ObjectId>, DirectoryError> {
    let single = std::slice::from_ref(value);
    let values = match value {
        Value::Null => &[],
        Value::List(list) => list.as_slice(),
        _ => single,
    };
    let id = |value: &Value| match value {
        Value::Text(id) => Some(id.as_str().into()),
        Value::Reference(reference) => Some(reference.id.clone()),
        Value::Complex(parts) => parts.find("value").and_then(Value::as_text).map(ObjectId::from),
        _ => None,
    };
    let found = values.iter().map(|value| id(value).filter(|id| !id.is_empty())).collect::<Option<_>>();
    found.ok_or_else(|| DirectoryError::invalid(path.to_string(), "has to be ids of objects in the directory"))
}

fn change_members(members: &mut MemberEdit, op: ChangeOp, ids: Vec<ObjectId>) {
    match (op, &mut *members) {
        (ChangeOp::Set | ChangeOp::Unset, _) => *members = MemberEdit::Replace(all(ids)),
        (ChangeOp::Add, MemberEdit::Replace(list)) => list.extend(all(ids)),
        (ChangeOp::Remove, MemberEdit::Replace(list)) => list.retain(|member| !ids.contains(&member.id)),
        (ChangeOp::Add, MemberEdit::Change { add, remove }) => {
            remove.retain(|id| !ids.contains(id));
            add.extend(all(ids));
        }
        (ChangeOp::Remove, MemberEdit::Change { add, remove }) => {
            add.retain(|member| !ids.contains(&member.id));
            remove.extend(ids);
        }
        (ChangeOp::Add, _) => *members = MemberEdit::Change { add: all(ids), remove: Vec::new() },
        (ChangeOp::Remove, _) => *members = MemberEdit::Change { add: Vec::new(), remove: ids },
    }
}

fn all(ids: Vec<ObjectId>) -> Vec<Member> {
    ids.into_iter().map(Member::new).collect()
}
