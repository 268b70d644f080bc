//! Ids and distinguished names, each from the other. A name changes when an entry is renamed or moved, so what is known of
//! names is a hint: a write by a name that is not the id's any more is noticed by the server, or by the look that follows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use ldap3::Ldap;
use provost_connector::{ConnectorError, Context};
use provost_model::{ClassName, ObjectId};

use super::fault::Effect;
use super::filter::within;
use super::shape::{ClassShape, Shape};
use super::wire::Wire;
use super::{page, template, value};

/// Ids that one question asks for.
const CHUNK: usize = 50;
/// Names that are kept; more are forgotten all together.
const KEPT: usize = 200_000;

/// Names by id, as they were last seen.
#[derive(Default)]
pub struct Names(Mutex<HashMap<ObjectId, String>>);

/// Who stands behind a name, by its [`template::normal`] form.
pub type Owners = HashMap<String, (ClassName, ObjectId)>;

impl Names {
    pub fn note(&self, id: &ObjectId, name: &str) {
        self.note_all(std::iter::once((id, name)));
    }

    pub fn note_all<'n>(&self, seen: impl Iterator<Item = (&'n ObjectId, &'n str)>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= KEPT {
            names.clear();
        }
        names.extend(seen.map(|(id, name)| (id.clone(), name.to_owned())));
    }

    pub fn forget(&self, id: &ObjectId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    pub fn known(&self, id: &ObjectId) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The names of these ids now, of whatever class. Who is missing is not there.
    pub async fn of(
        &self,
        cx: &Context,
        wire: &Wire,
        shape: &Shape,
        ids: &[ObjectId],
    ) -> Result<BTreeMap<ObjectId, String>, ConnectorError> {
        let mut found = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            for class in &shape.classes {
                let filters: String = chunk.iter().filter_map(|id| value::id_filter(class.id, id)).collect();
                if class.id.attribute().is_none() {
                    found.extend(chunk.iter().map(|id| (id.clone(), id.to_string())));
                }
                if filters.is_empty() {
                    continue;
                }
                let (base, scope) = (&class.class.base, class.class.scope.into());
                let filter = within(class, &format!("(|{filters})"));
                for entry in page::all(cx, wire, base, scope, filter, id_alone(class)).await? {
                    if let Some(id) = value::id(&entry, class.id) {
                        self.note(&id, &entry.dn);
                        found.insert(id, entry.dn);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Everybody's name, by class. Who is on another server stays a name.
    pub async fn everybody(&self, cx: &Context, wire: &Wire, shape: &Shape) -> Result<Owners, ConnectorError> {
        let mut owners = Owners::new();
        for class in &shape.classes {
            let (base, scope) = (&class.class.base, class.class.scope.into());
            let filter = class.class.filter.to_string();
            for entry in page::here(cx, wire, base, scope, filter, id_alone(class)).await?.0 {
                if let Some(id) = value::id(&entry, class.id) {
                    owners.insert(template::normal(&entry.dn), (class.class.name.clone(), id));
                }
            }
        }
        Ok(owners)
    }

    /// Who stands behind these names: one question each, as a name has to be asked for where it is.
    pub async fn owners(
        &self,
        cx: &Context,
        wire: &Wire,
        shape: &Shape,
        names: BTreeSet<String>,
    ) -> Result<Owners, ConnectorError> {
        let mut owners = Owners::new();
        for name in names {
            for class in &shape.classes {
                let found = match owner(cx, wire, class, &name).await {
                    Ok(found) => found,
                    // A name that the server cannot read, or shows to nobody, points at nobody.
                    Err(error) if error.target_status.is_some() => None,
                    Err(error) => return Err(error),
                };
                if let Some(id) = found {
                    owners.insert(template::normal(&name), (class.class.name.clone(), id));
                    break;
                }
            }
        }
        Ok(owners)
    }
}

/// Whose a name is, when it is one of the class.
pub async fn owner(
    cx: &Context,
    wire: &Wire,
    class: &ClassShape,
    name: &str,
) -> Result<Option<ObjectId>, ConnectorError> {
    let (asked, filter) = (name.to_owned(), class.class.filter.to_string());
    let wanted: Vec<&'static str> = class.id.attribute().into_iter().collect();
    let talk = move |mut ldap: Ldap| async move { super::shape::one(&mut ldap, &asked, &filter, wanted).await };
    let entry = wire.converse(cx, "look up a name", Effect::Reads, talk).await?;
    Ok(entry.and_then(|entry| value::id(&entry, class.id)))
}

/// What is asked for where nothing but the id is.
pub fn id_alone(class: &ClassShape) -> Vec<String> {
    vec![class.id.attribute().unwrap_or("1.1").to_owned()]
}
