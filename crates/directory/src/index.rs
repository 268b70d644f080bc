//! Attributes whose values have rows of their own in the store, so that resources are found by them, and so that a schema's
//! `uniqueness` can be kept (RFC 7643 section 2.2).
//!
//! A key is the value as it compares: in lower case unless the attribute is `caseExact`. The store keeps 64 bits of it, so
//! that whatever is found is compared again.
//! [`Directory::prepare`] fills in the rows of what was there before an attribute got its index.

use std::collections::BTreeMap;

use provost_model::{AttributePath, AttributeType, Attributes, Text, Value};
use provost_scim::schema::{Attribute, Target, Uniqueness};
use provost_scim::{TypeSchema, collate, urn};
use provost_store::{StoreError, ValueRow};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::Directory;
use crate::assignment::{ASSIGNMENT, ENDS, IDENTITY, identity};
use crate::kind::Kind;
use crate::query::PAGE;
use crate::resource::parse;

/// How keys are made; another word makes all of them anew.
const FORM: &str = "1";

/// Where the store remembers which indexes are complete.
const MEMO: &str = "directory.indexes";

/// One attribute with rows of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Index {
    /// Stands for the resource type and the attribute.
    slot: i64,
    /// The full name, `emails.value`.
    pub path: Text,
    /// No two living resources of the type have the same value.
    pub unique: bool,
    source: Source,
    exact: bool,
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq)]
enum Source {
    Attribute {
        extension: Option<Text>,
        attribute: Text,
        sub: Option<Text>,
    },
    /// What makes an assignment the one it is.
    Identity,
}

/// The indexes of a type: e-mail addresses and display names of users, what a schema wants to be unique, and `more`.
/// `naming` has a column of its own.
pub(crate) fn of(types: &TypeSchema, naming: Option<&Text>, more: &[AttributePath]) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    let mut add = |index: Option<Index>| {
        // The name has a column, where user names are kept unique; other types' names are not.
        let needed = |index: &Index| naming != Some(&index.path) || (index.unique && !types.core.is(urn::USER));
        let Some(index) = index.filter(needed) else { return };
        if indexes.iter().all(|have| have.path != index.path) {
            indexes.push(index);
        }
    };
    if types.core.is(urn::USER) {
        for path in ["emails.value", "displayName"] {
            add(path.parse().ok().and_then(|path| at(types, &path)));
        }
    }
    let schemas = std::iter::once((None, &types.core))
        .chain(types.extensions.iter().map(|extension| (Some(extension.schema.id.clone()), &extension.schema)));
    for (extension, schema) in schemas {
        for attribute in &schema.attributes {
            let parts = attribute.sub_attributes.iter().map(Some).chain([None]);
            for sub in parts.filter(|sub| sub.unwrap_or(attribute).uniqueness != Uniqueness::None) {
                add(Index::new(extension.clone(), attribute, sub));
            }
        }
    }
    if types.core.is(ASSIGNMENT) {
        for (end, _) in ENDS {
            add(at(types, &AttributePath { sub: Some("value".into()), ..AttributePath::name(end) }));
        }
        add(Some(Index { slot: 0, path: IDENTITY.into(), unique: true, source: Source::Identity, exact: true }));
    }
    more.iter().for_each(|path| add(at(types, path)));
    for index in &mut indexes {
        index.slot = slot(types.name(), &index.path);
    }
    indexes
}

fn slot(kind: &str, path: &str) -> i64 {
    xxh3_64(format!("{kind} {path} {FORM}").as_bytes()).cast_signed()
}

/// The index for a path, where its attribute can have one.
fn at(types: &TypeSchema, path: &AttributePath) -> Option<Index> {
    let Some(Target::Attribute(place)) = types.resolve(path) else { return None };
    let value = place.attribute.sub_attribute("value").filter(|_| place.attribute.is_complex());
    Index::new(place.extension.map(|schema| schema.id.clone()), place.attribute, place.sub.or(value))
}

impl Index {
    fn new(extension: Option<Text>, attribute: &Attribute, sub: Option<&Attribute>) -> Option<Self> {
        use AttributeType::{Binary, Integer, Reference, String};
        let leaf = sub.unwrap_or(attribute);
        let kept =
            !attribute.is_secret() && !matches!(attribute.name.as_str(), "id" | "externalId" | "meta" | "schemas");
        if !kept || !matches!(leaf.kind, String | Reference | Binary | Integer) {
            return None;
        }
        let mut path = extension.as_ref().map(|urn| format!("{urn}:")).unwrap_or_default();
        path.push_str(&attribute.name);
        if let Some(sub) = sub {
            path.push('.');
            path.push_str(&sub.name);
        }
        Some(Self {
            slot: 0,
            path: path.into(),
            unique: leaf.uniqueness != Uniqueness::None,
            source: Source::Attribute {
                extension,
                attribute: attribute.name.clone(),
                sub: sub.map(|sub| sub.name.clone()),
            },
            exact: leaf.is_exact(),
        })
    }

    /// A value as it compares.
    pub fn key(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::Text(text) => text.as_str().into(),
            Value::Reference(reference) => reference.id.as_str().into(),
            Value::Integer(_) => std::borrow::Cow::Owned(value.to_text()?.to_string()),
            _ => return None,
        };
        Some(collate::fold(&text, self.exact).into_owned()).filter(|key| !key.is_empty())
    }

    /// What the store keeps of a key.
    pub fn hash(&self, key: &str) -> i64 {
        xxh3_64_with_seed(key.as_bytes(), self.slot.cast_unsigned()).cast_signed()
    }

    /// The keys of a resource, each once.
    pub fn keys(&self, attributes: &Attributes) -> Vec<String> {
        let Source::Attribute { extension, attribute, sub } = &self.source else {
            return identity(attributes).into_iter().collect();
        };
        let holder = match extension {
            Some(urn) => attributes.find(urn).and_then(Value::as_complex),
            None => Some(attributes),
        };
        let elements = match holder.and_then(|holder| holder.find(attribute)) {
            Some(Value::List(list)) => list.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        let value = |element: &Value| match (sub, element) {
            (Some(sub), Value::Complex(parts)) => parts.find(sub).and_then(|value| self.key(value)),
            _ => self.key(element),
        };
        let mut keys: Vec<String> = elements.iter().filter_map(value).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Kind {
    /// What the store keeps of these values of an attribute; nothing when it has no index.
    pub(crate) fn hashes(&self, path: &str, keys: &[&str]) -> Vec<i64> {
        let index = self.indexes.iter().find(|index| index.path == path);
        index.map_or_else(Vec::new, |index| keys.iter().map(|key| index.hash(key)).collect())
    }

    /// All keys of a resource, by index.
    pub(crate) fn keys(&self, attributes: &Attributes) -> Vec<(&Index, String)> {
        let all = self.indexes.iter().flat_map(|index| index.keys(attributes).into_iter().map(move |key| (index, key)));
        all.collect()
    }
}

impl Directory {
    /// Brings the indexes to what the types want: those that are no longer kept are taken away, new ones filled in. Quick
    /// when there is nothing to do; else it reads all resources of the types concerned. Reads and writes call it by
    /// themselves; a service calls it when it starts, so that nobody has to wait.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        self.prepared().get_or_try_init(|| self.fill()).await.map(drop)
    }

    async fn fill(&self) -> Result<(), StoreError> {
        let wanted = self.wanted_indexes();
        let read = |memo: Option<String>| -> BTreeMap<String, String> {
            memo.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
        };
        let have = read(self.store().memo(MEMO).await?);
        if have == wanted {
            return Ok(());
        }
        for name in have.iter().filter(|(name, form)| wanted.get(*name) != Some(form)).map(|(name, _)| name) {
            let Some((kind, path)) = name.split_once(' ') else { continue };
            let slot = slot(kind, path);
            let mut tx = self.store().begin().await?;
            tx.lock_directory().await?;
            tx.forget_values(slot).await?;
            let mut left = read(tx.memo(MEMO).await?);
            left.remove(name);
            tx.put_memo(MEMO, &serde_json::json!(left).to_string()).await?;
            tx.commit().await?;
        }
        for kind in self.kinds() {
            let new: Vec<&Index> =
                kind.indexes.iter().filter(|index| !have.contains_key(&name_of(kind, index))).collect();
            if !new.is_empty() {
                self.fill_kind(kind, &new).await?;
            }
        }
        let mut tx = self.store().begin().await?;
        tx.lock_directory().await?;
        tx.put_memo(MEMO, &serde_json::json!(wanted).to_string()).await?;
        tx.commit().await
    }

    /// Each page is read and written under the directory's lock, so that no row is of a value that has just changed.
    async fn fill_kind(&self, kind: &Kind, indexes: &[&Index]) -> Result<(), StoreError> {
        // What a fill that was interrupted has left.
        let mut tx = self.store().begin().await?;
        tx.lock_directory().await?;
        for index in indexes {
            tx.forget_values(index.slot).await?;
        }
        tx.commit().await?;
        let mut after = String::new();
        loop {
            let mut tx = self.store().begin().await?;
            tx.lock_directory().await?;
            let page = self.store().resource_page(&kind.name, Some(&after), PAGE as i64).await?;
            let mut rows = Vec::new();
            for row in &page {
                let attributes = parse(row)?;
                for index in indexes {
                    rows.extend(index.keys(&attributes).into_iter().map(|key| value_row(index, &key, &row.id)));
                }
            }
            tx.add_values(&rows).await?;
            tx.commit().await?;
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.id.to_string(),
                _ => return Ok(()),
            }
        }
    }

    fn wanted_indexes(&self) -> BTreeMap<String, String> {
        let of_kind = |kind: &Kind| -> Vec<_> {
            kind.indexes.iter().map(|index| (name_of(kind, index), FORM.to_owned())).collect()
        };
        self.kinds().iter().flat_map(of_kind).collect()
    }
}

fn name_of(kind: &Kind, index: &Index) -> String {
    format!("{} {}", kind.name, index.path)
}

pub(crate) fn value_row(index: &Index, key: &str, id: &provost_model::ObjectId) -> ValueRow {
    ValueRow { slot: index.slot, hash: index.hash(key), id: id.clone() }
}
