//! Attributes that point at other entries by a value instead of by the name: `memberUid` of a `posixGroup` holds the `uid` of
//! its members (RFC 2307). Outside they are references like any other.
//!
//! A value that several entries have, or none, points at nobody and stays a text.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ldap3::SearchEntry;
use provost_connector::{ConnectorError, Context};
use provost_model::{Change, ClassName, ObjectId, Text};

use super::catalogue::Kind;
use super::filter::within;
use super::modification;
use super::names::Owners;
use super::session::Inner;
use super::shape::ClassShape;
use super::{page, value};

/// Values that one question asks for; for more than [`FEW`], everybody's are read.
const CHUNK: usize = 50;
const FEW: usize = 200;

/// One such attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReference {
    pub attribute: Text,
    pub class: ClassName,
    /// The attribute of that class whose value it is.
    pub key: Text,
}

impl KeyReference {
    /// Where [`Owners`] has whom a value means: no name begins so.
    pub fn place(&self, value: &str) -> String {
        format!("\0{}\0{}\0{value}", self.class, self.key)
    }
}

/// The values of entries by which they point at others, by attribute.
fn values_of(entries: &[SearchEntry], reference: &KeyReference) -> BTreeSet<String> {
    entries.iter().filter_map(|entry| value::find(entry, &reference.attribute)).flatten().cloned().collect()
}

impl Inner {
    /// Adds whom the values of these entries mean; of all there are with `all`, for a read of a class as a whole.
    pub async fn add_keyed(
        &self,
        cx: &Context,
        shape: &ClassShape,
        entries: &[SearchEntry],
        all: bool,
        owners: &mut Owners,
    ) -> Result<(), ConnectorError> {
        for reference in &shape.keys {
            let values = values_of(entries, reference);
            if values.is_empty() && !all {
                continue;
            }
            let asked =
                if all || values.len() > FEW { None } else { Some(values.iter().map(String::as_str).collect()) };
            let mut found: HashMap<String, Vec<ObjectId>> = HashMap::new();
            for (id, key) in self.keyed(cx, reference, &reference.key, asked).await? {
                found.entry(key).or_default().push(id);
            }
            for (key, ids) in found {
                if let [id] = ids.as_slice() {
                    owners.insert(reference.place(&key), (reference.class.clone(), id.clone()));
                }
            }
        }
        Ok(())
    }

    /// The values that stand for the ids that these changes point at, by attribute in lower case.
    pub async fn keys_of(
        &self,
        cx: &Context,
        shape: &ClassShape,
        changes: &[Change],
    ) -> Result<BTreeMap<(Text, ObjectId), String>, ConnectorError> {
        let mut keys = BTreeMap::new();
        for reference in &shape.keys {
            let named = |change: &&Change| change.path.name.eq_ignore_ascii_case(&reference.attribute);
            let ids: BTreeSet<ObjectId> = changes.iter().filter(named).flat_map(modification::ids_in).collect();
            let ids: Vec<&str> = ids.iter().map(ObjectId::as_str).collect();
            if ids.is_empty() {
                continue;
            }
            for (id, key) in self.keyed(cx, reference, "id", Some(ids)).await? {
                // Of several values the first is the one.
                keys.entry((reference.attribute.to_lowercase(), id)).or_insert(key);
            }
        }
        Ok(keys)
    }

    /// Ids and keys of entries that have one of these values, or of all.
    async fn keyed(
        &self,
        cx: &Context,
        reference: &KeyReference,
        by: &str,
        values: Option<Vec<&str>>,
    ) -> Result<Vec<(ObjectId, String)>, ConnectorError> {
        let class = self.class(&reference.class)?;
        let wanted: Vec<String> =
            class.id.attribute().into_iter().chain([reference.key.as_str()]).map(str::to_owned).collect();
        let test = |value: &&str| match by {
            "id" => value::id_filter(class.id, value).unwrap_or_default(),
            by => format!("({by}={})", ldap3::ldap_escape(*value)),
        };
        let questions: Vec<String> = match &values {
            Some(values) => values.chunks(CHUNK).map(|some| some.iter().map(test).collect::<String>()).collect(),
            None => vec![format!("({}=*)", reference.key)],
        };
        let mut found = Vec::new();
        for any in questions.into_iter().filter(|any| !any.is_empty()) {
            let asked = within(class, &format!("(|{any})"));
            let scope = class.class.scope.into();
            for entry in page::all(cx, &self.wire, &class.class.base, scope, asked, wanted.clone()).await? {
                let Some(id) = value::id(&entry, class.id) else { continue };
                let keys = value::find(&entry, &reference.key).into_iter().flatten();
                found.extend(keys.map(|key| (id.clone(), key.clone())));
            }
        }
        Ok(found)
    }
}

/// The attributes of a class that point so: as the settings say, and `memberUid` where one class alone can be meant.
pub fn of_class(shape: &ClassShape, others: &[ClassShape]) -> Vec<KeyReference> {
    let given = shape.class.references.iter().map(|(attribute, to)| KeyReference {
        attribute: attribute.clone(),
        class: to.class.clone(),
        key: to.attribute.clone(),
    });
    let mut keys: Vec<KeyReference> = given.collect();
    let is_open = |name: &str| {
        shape.attribute(name).is_some_and(|about| about.kind == Kind::Text)
            && !keys.iter().any(|key| key.attribute.eq_ignore_ascii_case(name))
    };
    if is_open("memberUid") {
        let mut people = others.iter().filter(|other| other.attribute("uid").is_some());
        if let (Some(people), None) = (people.next(), people.next()) {
            keys.push(KeyReference {
                attribute: "memberUid".into(),
                class: people.class.name.clone(),
                key: "uid".into(),
            });
        }
    }
    keys
}
