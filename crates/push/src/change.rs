//! One operation of a request: what it does to which object, read before anything is looked up.

use std::collections::BTreeMap;

use provost_model::{Attributes, Digest, ObjectId, Text, Value};
use provost_scim::bulk::{BulkAction, BulkMethod, BulkOperation, Made, PREFIX, resolve};
use provost_scim::resource::{merge, partial};
use provost_scim::schema::Secrets;
use provost_scim::{Patch, Policy, Registry, ScimError, TypeSchema};

/// Bytes of an id or of a bulkId.
const LONG: usize = 512;

/// What an operation does.
pub(crate) struct Change<'r> {
    pub types: &'r TypeSchema,
    pub id: ObjectId,
    pub bulk_id: Text,
    pub method: BulkMethod,
    data: Attributes,
    /// Of all that was sent.
    pub digest: String,
}

/// What operations of a request call what they make: bulkId -> `externalId`.
pub(crate) fn names(operations: &[BulkOperation]) -> BTreeMap<Text, Made> {
    let name = |operation: &BulkOperation| {
        let what = operation.what.as_ref().ok().filter(|what| what.method == BulkMethod::Post)?;
        let id = Text::from(external_id(&what.data)?);
        Some((operation.bulk_id.clone()?, Made { location: id.clone(), id }))
    };
    operations.iter().filter_map(name).collect()
}

fn external_id(data: &Attributes) -> Option<&str> {
    data.find("externalId").and_then(Value::as_text).filter(|id| !id.is_empty())
}

impl<'r> Change<'r> {
    /// Reads an operation; an error is its outcome.
    pub fn read(
        operation: &BulkOperation,
        registry: &'r Registry,
        names: &BTreeMap<Text, Made>,
        may_see: &dyn Fn(&str) -> bool,
    ) -> Result<Self, ScimError> {
        let mut what = operation.what.clone()?;
        let missing = "bulkId is missing: it names the operation, so that sending it again does it once";
        let bulk_id = operation.bulk_id.clone().ok_or_else(|| ScimError::invalid_value(missing))?;
        let types = registry.by_endpoint(&what.endpoint).ok_or_else(|| {
            let endpoints: Vec<&str> =
                registry.types().iter().map(|types| types.resource_type.endpoint.as_str()).collect();
            let there = endpoints.join(", ");
            ScimError::invalid_path(format!("path: there is no `/{}`; there are {there}", what.endpoint))
        })?;
        if !may_see(types.name()) {
            return Err(ScimError::status(403, format!("the token may not see resources of type {}", types.name())));
        }
        if what.version.is_some() {
            return Err(ScimError::invalid_value("version: pushed objects have no versions; leave it out"));
        }
        let digest = Digest::of_value(&Value::List(vec![
            Value::text(word(what.method)),
            Value::text(types.name()),
            Value::text(what.id.as_str()),
            Value::Complex(what.data.clone()),
        ]));
        if let Some(name) = operation.references.iter().find(|name| !names.contains_key(*name)) {
            let detail = format!("no POST of this request has what bulkId:{name} stands for");
            return Err(ScimError::status(409, detail));
        }
        resolve(types, &mut what, names);
        let BulkAction { method, id, data, .. } = what;
        let id = match (method, id.strip_prefix(PREFIX)) {
            (BulkMethod::Post, _) => external_id(&data).map(Text::from).ok_or_else(|| {
                ScimError::invalid_value("data has no externalId: the key by which the object is known again")
            })?,
            (_, Some(name)) => names.get(name).map_or(id.clone(), |made| made.id.clone()),
            (_, None) => id,
        };
        for (name, text) in [("bulkId", &bulk_id), ("externalId", &id)] {
            if text.len() > LONG || text.contains('\0') {
                let detail = format!("{name} has to be a text of at most {LONG} bytes, without NUL");
                return Err(ScimError::invalid_value(detail));
            }
        }
        Ok(Self { types, id: id.into(), bulk_id, method, data, digest: digest.to_string() })
    }

    /// The object after the operation, without secrets; none when it is gone. `before` is the object as it is.
    pub fn apply(self, before: Option<Attributes>) -> Result<Option<Attributes>, ScimError> {
        let policy = Policy::patch();
        let unknown = || ScimError::not_found(format_args!("/{}/{}", self.types.name(), self.id));
        let mut after = match self.method {
            BulkMethod::Post => {
                let mut after = before.unwrap_or_default();
                merge(&mut after, partial(self.types, self.data, &policy)?);
                after
            }
            BulkMethod::Put => partial(self.types, self.data, &policy)?,
            BulkMethod::Patch => {
                let mut after = before.ok_or_else(unknown)?;
                Patch::from_message(self.data, &policy)?.apply(self.types, &policy, &mut after)?;
                after
            }
            BulkMethod::Delete => return before.map(|_| None).ok_or_else(unknown),
        };
        if after.find("externalId").is_some_and(|id| id.as_text() != Some(self.id.as_str())) {
            return Err(ScimError::mutability("externalId is the object's key and cannot change"));
        }
        after.set("externalId", self.id.0);
        // Passwords are for those who sign somebody in; what is pushed stays in the store.
        Secrets::of(self.types).strip(&mut after);
        Ok(Some(after))
    }
}

/// The method's name.
pub(crate) fn word(method: BulkMethod) -> &'static str {
    match method {
        BulkMethod::Post => "POST",
        BulkMethod::Put => "PUT",
        BulkMethod::Patch => "PATCH",
        BulkMethod::Delete => "DELETE",
    }
}
