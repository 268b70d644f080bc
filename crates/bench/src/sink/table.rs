//! The resources of one type: text as it was sent, in order of creation, with an index by name and by externalId.
//! Text rather than trees, because a million users must fit and a POST should cost little. A lock around the table is
//! held for the insertion only; parsing and answering happen outside.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    patch::{self, Step, Verb},
    path::{Condition, holds, spelled},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
}

impl Kind {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The attribute that must be unique.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::User => "userName",
            Self::Group => "displayName",
        }
    }

    fn id_prefix(self) -> &'static str {
        match self {
            Self::User => "75736572-0000-7000-8000-",
            Self::Group => "67727570-0000-7000-8000-",
        }
    }

    /// Ids hold the position, so that finding a resource by id needs no index.
    #[must_use]
    pub fn id(self, slot: usize) -> String {
        format!("{}{slot:012x}", self.id_prefix())
    }

    #[must_use]
    pub fn slot(self, id: &str) -> Option<usize> {
        usize::from_str_radix(id.strip_prefix(self.id_prefix())?, 16).ok()
    }
}

/// A resource without `id` and `meta`; members of a group apart.
#[derive(Debug, Clone)]
pub struct Resource {
    pub text: Bytes,
    pub members: BTreeMap<String, Value>,
}

/// What a POST needs to know of its body.
#[derive(Debug, Clone)]
pub struct Draft {
    pub resource: Resource,
    name: String,
    external: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    user_name: Option<String>,
    display_name: Option<String>,
    external_id: Option<String>,
    id: Option<serde::de::IgnoredAny>,
    meta: Option<serde::de::IgnoredAny>,
    members: Option<serde::de::IgnoredAny>,
}

/// Outcome of a write to an existing resource.
#[derive(Debug)]
pub enum Written {
    Changed(Resource),
    /// The request left the resource as it was.
    Same(Resource),
    Missing,
    Conflict,
    Invalid(String),
}

/// Reads the body of a POST or PUT.
pub fn draft(kind: Kind, body: Bytes) -> Result<Draft, String> {
    let head: Head = serde_json::from_slice(&body).map_err(|e| format!("body is no {}: {e}", kind.name()))?;
    let name = match kind {
        Kind::User => head.user_name,
        Kind::Group => head.display_name,
    };
    let name = name.filter(|n| !n.is_empty()).ok_or_else(|| format!("{} is required", kind.key()))?.to_lowercase();
    let plain = head.id.is_none() && head.meta.is_none() && head.members.is_none() && body.first() == Some(&b'{');
    let resource = if plain {
        Resource { text: body, members: BTreeMap::new() }
    } else {
        let mut map: Map<String, Value> = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        map.remove("id");
        map.remove("meta");
        let members = if kind == Kind::Group {
            map.remove("members").map(members_of).unwrap_or_default()
        } else {
            BTreeMap::new()
        };
        Resource { text: text_of(&map), members }
    };
    Ok(Draft { resource, name, external: head.external_id })
}

fn members_of(list: Value) -> BTreeMap<String, Value> {
    let Value::Array(list) = list else { return BTreeMap::new() };
    list.into_iter().filter_map(|m| Some((m.get("value")?.as_str()?.to_owned(), m))).collect()
}

fn text_of(map: &Map<String, Value>) -> Bytes {
    // A map of JSON values always has a text.
    Bytes::from(serde_json::to_vec(map).unwrap_or_default())
}

#[derive(Debug)]
pub struct Table {
    kind: Kind,
    slots: Vec<Option<Resource>>,
    live: usize,
    by_name: HashMap<String, usize>,
    by_external: HashMap<String, Vec<usize>>,
}

impl Table {
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, slots: Vec::new(), live: 0, by_name: HashMap::new(), by_external: HashMap::new() }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.live
    }

    /// The new resource's position, or None when its name is taken.
    pub fn create(&mut self, draft: Draft) -> Option<usize> {
        let slot = self.slots.len();
        match self.by_name.entry(draft.name) {
            std::collections::hash_map::Entry::Occupied(_) => return None,
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(slot),
        };
        if let Some(external) = draft.external {
            self.by_external.entry(external).or_default().push(slot);
        }
        self.slots.push(Some(draft.resource));
        self.live += 1;
        Some(slot)
    }

    #[must_use]
    pub fn get(&self, slot: usize) -> Option<&Resource> {
        self.slots.get(slot)?.as_ref()
    }

    /// Every resource, in order of creation.
    pub fn all(&self) -> impl Iterator<Item = &Resource> {
        self.slots.iter().flatten()
    }

    /// Resources that meet all conditions: by index where there is one for the first, else by looking at every one.
    #[must_use]
    pub fn find(&self, conditions: &[Condition]) -> Vec<(usize, Resource)> {
        let Some(first) = conditions.first() else { return Vec::new() };
        let text = first.value.as_str().unwrap_or("");
        let attribute = first.path.rsplit(':').next().unwrap_or("");
        let indexed = if attribute.eq_ignore_ascii_case(self.kind.key()) {
            Some(self.by_name.get(&text.to_lowercase()).copied().into_iter().collect())
        } else if attribute.eq_ignore_ascii_case("externalId") {
            Some(self.by_external.get(text).cloned().unwrap_or_default())
        } else if attribute.eq_ignore_ascii_case("id") {
            Some(self.kind.slot(text).into_iter().collect::<Vec<_>>())
        } else {
            None
        };
        let rest = if indexed.is_some() { &conditions[1..] } else { conditions };
        let slots = indexed.unwrap_or_else(|| (0..self.slots.len()).collect());
        let found = slots.into_iter().filter_map(|slot| Some((slot, self.get(slot)?.clone())));
        found.filter(|(_, r)| rest.is_empty() || holds(&tree(r), rest)).collect()
    }

    /// One page in order of creation; `start` counts from 0.
    #[must_use]
    pub fn page(&self, start: usize, count: usize) -> Vec<(usize, Resource)> {
        let all = self.slots.iter().enumerate();
        let pick = |(slot, r): (usize, &Option<Resource>)| Some((slot, r.clone()?));
        if self.live == self.slots.len() {
            // Nothing was ever deleted, so that positions are numbers: no walk to get to page 1,000.
            return all.skip(start).take(count).filter_map(pick).collect();
        }
        all.filter(|(_, r)| r.is_some()).skip(start).take(count).filter_map(pick).collect()
    }

    pub fn delete(&mut self, slot: usize) -> bool {
        let Some(gone) = self.slots.get_mut(slot).and_then(Option::take) else { return false };
        self.live -= 1;
        self.unindex(slot, &gone);
        true
    }

    /// Stores what [`replaced`] or [`patched`] made of `old`. None when somebody else wrote in between: make it again.
    pub fn store(&mut self, slot: usize, old: &Resource, change: Change) -> Option<Written> {
        let Some(current) = self.get(slot) else { return Some(Written::Missing) };
        if current.text.as_ptr() != old.text.as_ptr() || current.members != old.members {
            return None;
        }
        let Change { new, same, renamed } = change;
        if same {
            return Some(Written::Same(new));
        }
        if renamed {
            let Some((name, external)) = self.names(&new) else {
                return Some(Written::Invalid(format!("{} is required", self.kind.key())));
            };
            if self.by_name.get(&name).is_some_and(|other| *other != slot) {
                return Some(Written::Conflict);
            }
            self.unindex(slot, old);
            self.by_name.insert(name, slot);
            if let Some(external) = external {
                self.by_external.entry(external).or_default().push(slot);
            }
        }
        self.slots[slot] = Some(new.clone());
        Some(Written::Changed(new))
    }

    /// (name in lower case, externalId) of a stored resource.
    fn names(&self, resource: &Resource) -> Option<(String, Option<String>)> {
        let map: Map<String, Value> = serde_json::from_slice(&resource.text).ok()?;
        let name = map.get(&spelled(&map, self.kind.key()))?.as_str()?.to_lowercase();
        Some((name, map.get("externalId").and_then(Value::as_str).map(str::to_owned)))
    }

    fn unindex(&mut self, slot: usize, old: &Resource) {
        let Some((name, external)) = self.names(old) else { return };
        self.by_name.remove(&name);
        if let Some(slots) = external.and_then(|e| self.by_external.get_mut(&e)) {
            slots.retain(|s| *s != slot);
        }
    }
}

/// What a write makes of a resource. Made without the table's lock, because parsing is what a PATCH costs.
#[derive(Debug)]
pub struct Change {
    new: Resource,
    same: bool,
    /// Whether an indexed attribute may have changed.
    renamed: bool,
}

/// PUT: the draft in place of the resource.
#[must_use]
pub fn replaced(old: &Resource, draft: Draft) -> Change {
    let same = tree(old) == tree(&draft.resource);
    Change { new: draft.resource, same, renamed: true }
}

/// PATCH: the resource after all steps.
pub fn patched(kind: Kind, old: &Resource, steps: Vec<Step>) -> Result<Change, String> {
    let before: Map<String, Value> =
        serde_json::from_slice(&old.text).map_err(|e| format!("stored text is broken: {e}"))?;
    let (mut after, mut members) = (before.clone(), old.members.clone());
    for step in steps {
        let named = step.path.urn.is_none()
            && step.path.attribute.as_deref().is_some_and(|a| a.eq_ignore_ascii_case("members"));
        if named && kind == Kind::Group {
            patch_members(&mut members, step);
        } else {
            patch::apply(&mut after, step);
        }
    }
    let unchanged = before == after;
    let key = spelled(&before, kind.key());
    let renamed = [key.as_str(), "externalId"].iter().any(|name| before.get(*name) != after.get(*name));
    let text = if unchanged { old.text.clone() } else { text_of(&after) };
    let same = unchanged && members == old.members;
    Ok(Change { new: Resource { text, members }, same, renamed })
}

fn patch_members(members: &mut BTreeMap<String, Value>, step: Step) {
    let Step { verb, path, value } = step;
    if !path.conditions.is_empty() {
        // `members[value eq "id"]`: the only selection of members that clients send is for removing them.
        if verb == Verb::Remove {
            members.retain(|_, m| !holds(m, &path.conditions));
        }
        return;
    }
    let value = if value.is_object() { Value::Array(vec![value]) } else { value };
    match (verb, value) {
        (Verb::Remove, Value::Null) => members.clear(),
        (Verb::Remove, list) => members_of(list).keys().for_each(|id| drop(members.remove(id))),
        (Verb::Replace, list) => *members = members_of(list),
        (Verb::Add, list) => members.extend(members_of(list)),
    }
}

/// The whole resource as a tree, without id and meta.
#[must_use]
pub fn tree(resource: &Resource) -> Value {
    let mut value: Value = serde_json::from_slice(&resource.text).unwrap_or(Value::Null);
    if let (false, Some(map)) = (resource.members.is_empty(), value.as_object_mut()) {
        map.insert("members".to_owned(), resource.members.values().cloned().collect());
    }
    value
}
