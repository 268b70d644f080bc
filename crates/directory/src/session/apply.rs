//! Operations as writes: paths resolved once per call, values checked, then one transaction for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Text, Value};

use super::error::{store_error, to_connector, unknown_class};
use super::place::{Leaf, Place};
use crate::kind::Kind;
use crate::resource::{etag, version_of};
use crate::write::{Edit, MemberEdit, What, Write};
use crate::{Directory, DirectoryError, Member};

/// Paths by the address of what the operations share.
type Places = HashMap<(Text, *const AttributePath), Result<Arc<Place>, ConnectorError>>;

pub(super) async fn run(directory: &Directory, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
    if let Err(error) = cx.check() {
        return operations.iter().map(|operation| Applied::failed(operation.id.clone(), error.clone())).collect();
    }
    let (mut writes, mut refused) = (Vec::with_capacity(operations.len()), Vec::new());
    {
        let mut places = Places::new();
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
                let place = place(kind, &change.path, places)?;
                let step = step(kind, &place, change).map_err(|error| to_connector(&error))?;
                step.apply(&place, kind.has_manager, &mut attributes, &mut members).map_err(|e| to_connector(&e))?;
            }
            let members = match members {
                MemberEdit::Change { add, .. } | MemberEdit::Replace(add) => add,
                MemberEdit::Keep | MemberEdit::Inline => Vec::new(),
            };
            What::Create { attributes, members }
        }
        Action::Update | Action::Enable | Action::Disable => edit(kind, operation, if_version, places)?,
        Action::Delete => What::Delete { id: target(operation)?, if_version },
    };
    Ok(Write { kind: kind.name.clone(), what })
}

fn target(operation: &Operation) -> Result<ObjectId, ConnectorError> {
    operation.target_id.clone().ok_or_else(|| {
        ConnectorError::new(ErrorCode::Internal, format!("the {} names no object", operation.action))
    })
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
    let mut steps: Vec<(Arc<Place>, Step)> = Vec::with_capacity(operation.changes.len());
    for change in &operation.changes {
        let place = place(kind, &change.path, places)?;
        let step = step(kind, &place, change).map_err(|error| to_connector(&error))?;
        match step {
            Step::Members(op, ids) => change_members(&mut members, op, ids),
            step => steps.push((place, step)),
        }
    }
    let edit: Edit = Box::new(move |attributes| {
        for (place, step) in steps {
            step.apply(&place, attributes, &mut MemberEdit::Keep)?;
        }
        if let Some(active) = active {
            // An absent flag counts as true.
            if !active || attributes.find("active").is_some() {
                attributes.set("active", active);
            }
        }
        Ok(())
    });
    Ok(What::Edit { id: target(operation)?, if_version, edit, members })
}
