//! Which groups an object belongs to: those it is a member of, and those that these are in, however deep. Groups may be in
//! each other in a circle; each is named once.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

use provost_model::{ObjectId, Text};
use provost_store::{Lookup, StoreError};

use crate::query::PAGE;
use crate::resource::parse_some;
use crate::{Directory, Membership};

impl Directory {
    /// The groups of these objects, by object; direct ones first, each list by group. One statement per level of nesting.
    pub async fn memberships(&self, ids: &[ObjectId]) -> Result<Vec<Membership>, StoreError> {
        let direct = self.store().memberships_of(ids).await?;
        let first: HashSet<ObjectId> = direct.iter().map(|row| row.group_id.clone()).collect();
        let parents = self.parents(&first).await?;
        let mut found = Vec::with_capacity(direct.len());
        let mut rows = direct.into_iter().peekable();
        while let Some(row) = rows.next() {
            let member = row.member_id;
            let mut groups = vec![row.group_id];
            while let Some(next) = rows.next_if(|next| next.member_id == member) {
                groups.push(next.group_id);
            }
            let indirect = above(&groups, &parents);
            let membership = |direct| {
                let member = member.clone();
                move |group| Membership { member: member.clone(), group, display: Text::default(), direct }
            };
            found.extend(groups.into_iter().map(membership(true)));
            found.extend(indirect.into_iter().map(membership(false)));
        }
        self.name(&mut found).await?;
        Ok(found)
    }

    /// The groups that each group is in, for these groups and all above them.
    async fn parents(&self, first: &HashSet<ObjectId>) -> Result<HashMap<ObjectId, Vec<ObjectId>>, StoreError> {
        let mut parents: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        let mut seen = first.clone();
        let mut level: Vec<ObjectId> = first.iter().cloned().collect();
        while !level.is_empty() {
            level.sort_unstable();
            let mut next = Vec::new();
            for row in self.store().memberships_of(&level).await? {
                if seen.insert(row.group_id.clone()) {
                    next.push(row.group_id.clone());
                }
                parents.entry(row.member_id).or_default().push(row.group_id);
            }
            level = next;
        }
        Ok(parents)
    }

    /// The first of these that no resource has as its id.
    pub async fn unknown_among(&self, ids: &[ObjectId]) -> Result<Option<ObjectId>, StoreError> {
        let mut left: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        for kind in self.kinds() {
            let askable: Vec<&str> = left.iter().copied().filter(|id| !id.contains('\0')).collect();
            let found: HashSet<ObjectId> =
                self.store().resources_among(&kind.name, &askable).await?.into_iter().collect();
            left.retain(|id| !found.contains(*id));
        }
        Ok(left.first().map(|id| ObjectId::from(*id)))
    }

    /// What these are called: by `displayName`, else by the name that the type is found by.
    pub async fn names<I: Borrow<str>>(&self, ids: &[I]) -> Result<HashMap<ObjectId, Text>, StoreError> {
        const DISPLAY_NAME: Text = Text::const_new("displayName");
        let mut names = HashMap::with_capacity(ids.len());
        for kind in self.kinds() {
            let wanted: Vec<Text> = kind.naming.iter().cloned().chain([DISPLAY_NAME]).collect();
            for page in ids.chunks(PAGE) {
                for row in self.store().resources_by(&kind.name, Lookup::Id, page).await? {
                    let found = parse_some(&row, &wanted)?;
                    let mut texts = wanted.iter().rev().filter_map(|name| found.find(name)?.as_text());
                    names.insert(row.id, texts.next().unwrap_or_default().into());
                }
            }
        }
        Ok(names)
    }

    /// Fills in what the groups are called.
    async fn name(&self, found: &mut [Membership]) -> Result<(), StoreError> {
        let mut groups: Vec<&str> = found.iter().map(|membership| membership.group.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        let names = self.names(&groups).await?;
        for membership in found {
            membership.display = names.get(&membership.group).cloned().unwrap_or_default();
        }
        Ok(())
    }
}

/// The groups above these that are not among them, by id.
fn above(groups: &[ObjectId], parents: &HashMap<ObjectId, Vec<ObjectId>>) -> Vec<ObjectId> {
    if parents.is_empty() {
        return Vec::new();
    }
    let mut seen: HashSet<&ObjectId> = groups.iter().collect();
    let mut open: Vec<&ObjectId> = groups.iter().collect();
    let mut found = Vec::new();
    while let Some(group) = open.pop() {
        for parent in parents.get(group).into_iter().flatten() {
            if seen.insert(parent) {
                found.push(parent.clone());
                open.push(parent);
            }
        }
    }
    found.sort_unstable();
    found
}
