//! What can be done to the directory: creates, edits, deletions, each with what becomes of a group's members.

use std::fmt;

use provost_model::{Attributes, ObjectId, Text};

use crate::{DirectoryError, Member, Resource};

/// One write. Several of them go into one transaction, each as if those before it were done.
#[derive(Debug)]
pub struct Write {
    /// The resource type, `User` or `Group`.
    pub kind: Text,
    pub what: What,
}

/// Changes attributes in place. An error leaves the resource as it was and is the outcome of this write alone.
pub type Edit = Box<dyn FnOnce(&mut Attributes) -> Result<(), DirectoryError> + Send>;

/// What is done.
pub enum What {
    /// Makes a new resource. `id`, `meta`, `schemas`, `members`, secrets and readOnly attributes are left out of it.
    Create { attributes: Attributes, members: Vec<Member> },
    /// Changes a resource. An edit that changes nothing leaves version and time as they are.
    Edit {
        id: ObjectId,
        /// The versions of which one has to be the current one; none for any.
        if_version: Option<Vec<i64>>,
        edit: Edit,
        members: MemberEdit,
    },
    /// Deletes a resource, its memberships, and what its reports say about their manager.
    Delete { id: ObjectId, if_version: Option<Vec<i64>> },
}

/// What becomes of the members of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MemberEdit {
    #[default]
    Keep,
    /// Afterwards those to add are there and those to remove are not; what is in both is not there.
    Change { add: Vec<Member>, remove: Vec<ObjectId> },
    /// These are all afterwards.
    Replace(Vec<Member>),
    /// The edit sees and changes them as the attribute `members`, a list of `{"value": id, "type": kind}`. For changes
    /// that cannot be told without knowing all of them.
    Inline,
}

/// What became of a write that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The resource afterwards; for a deletion the one that was. Its members are there after a create alone, since nobody
    /// should load 100,000 to have added one.
    pub resource: Resource,
    /// Whether anything differs from before.
    pub changed: bool,
    pub created: bool,
}

impl Write {
    pub fn create(kind: impl Into<Text>, attributes: Attributes) -> Self {
        Self { kind: kind.into(), what: What::Create { attributes, members: Vec::new() } }
    }

    pub fn edit(
        kind: impl Into<Text>,
        id: impl Into<ObjectId>,
        edit: impl FnOnce(&mut Attributes) -> Result<(), DirectoryError> + Send + 'static,
    ) -> Self {
        let what = What::Edit { id: id.into(), if_version: None, edit: Box::new(edit), members: MemberEdit::default() };
        Self { kind: kind.into(), what }
    }

    pub fn members(kind: impl Into<Text>, id: impl Into<ObjectId>, members: MemberEdit) -> Self {
        let what = What::Edit { id: id.into(), if_version: None, edit: Box::new(|_| Ok(())), members };
        Self { kind: kind.into(), what }
    }

    /// The members that it names to be added, where that can be told without the resource.
    pub fn added_members(&self) -> Vec<&ObjectId> {
        match &self.what {
            What::Create { members, .. }
            | What::Edit { members: MemberEdit::Replace(members) | MemberEdit::Change { add: members, .. }, .. } => {
                members.iter().map(|member| &member.id).collect()
            }
            What::Edit { .. } | What::Delete { .. } => Vec::new(),
        }
    }

    pub fn delete(kind: impl Into<Text>, id: impl Into<ObjectId>) -> Self {
        Self { kind: kind.into(), what: What::Delete { id: id.into(), if_version: None } }
    }
}

impl What {
    /// The resource that is meant; none for a create.
    pub(crate) fn id(&self) -> Option<&ObjectId> {
        match self {
            What::Create { .. } => None,
            What::Edit { id, .. } | What::Delete { id, .. } => Some(id),
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Create { members, .. } => f.debug_struct("Create").field("members", members).finish_non_exhaustive(),
            What::Edit { id, if_version, members, .. } => f
                .debug_struct("Edit")
                .field("id", id)
                .field("if_version", if_version)
                .field("members", members)
                .finish_non_exhaustive(),
            What::Delete { id, if_version } => {
                f.debug_struct("Delete").field("id", id).field("if_version", if_version).finish()
            }
        }
    }
}
