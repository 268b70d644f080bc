//! A part of a resource, as HR feeds send them: what is there is checked, what is not there is not missed.

use provost_model::{Attributes, Value};

use super::Policy;
use super::value::attribute_value;
use crate::schema::Attribute;
use crate::{ScimError, TypeSchema};

/// What a body says about a resource, by its schema, without asking for anything.
///
/// Names get the schema's spelling and types are checked, as [`normalize`](super::normalize) does. Otherwise than there,
/// nothing is required, `schemas` included; null stays, because it says that there is no value; readOnly attributes count,
/// because the sender is who sets them; and attributes that no schema knows are kept as they are. `schemas`, `id` and `meta`
/// go. Secrets are the caller's: [`Secrets`](crate::schema::Secrets).
pub fn partial(types: &TypeSchema, input: Attributes, policy: &Policy) -> Result<Attributes, ScimError> {
    let mut kept = Attributes::with_capacity(input.len());
    for (name, value) in input {
        if ["schemas", "id", "meta"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
            continue;
        }
        if let Some(attribute) = types.attribute(&name) {
            kept.set(attribute.name.clone(), known(attribute, value, policy)?);
        } else if let Some(schema) = types.extension(&name) {
            let find = |name: &str| schema.attribute(name);
            let container = parts(&find, &schema.id, value, policy).map_err(|error| error.within(&schema.id))?;
            kept.set(schema.id.clone(), container);
        } else {
            kept.set(name, value);
        }
    }
    Ok(kept)
}

/// Lays what was sent over what is known. A complex value keeps the parts that were not sent, a list is replaced.
pub fn merge(known: &mut Attributes, sent: Attributes) {
    for (name, value) in sent {
        match (known.find_mut(&name), value) {
            (Some(Value::Complex(have)), Value::Complex(parts)) => merge(have, parts),
            (Some(have), value) => *have = value,
            (None, value) => known.push(name, value),
        }
    }
}

fn known(attribute: &Attribute, value: Value, policy: &Policy) -> Result<Value, ScimError> {
    if attribute.is_complex() && !attribute.multi_valued && matches!(value, Value::Complex(_)) {
        let find = |name: &str| attribute.sub_attribute(name);
        return parts(&find, &attribute.name, value, policy).map_err(|error| error.within(&attribute.name));
    }
    Ok(attribute_value(attribute, value, policy)?.unwrap_or(Value::Null))
}

fn parts<'a>(
    find: &dyn Fn(&str) -> Option<&'a Attribute>,
    owner: &str,
    value: Value,
    policy: &Policy,
) -> Result<Value, ScimError> {
    let input = match value {
        Value::Null => return Ok(Value::Null),
        Value::Complex(input) => input,
        other => {
            let found = other.kind();
            return Err(ScimError::invalid_value(format!("{owner} has to be a complex value, found {found}")));
        }
    };
    let mut kept = Attributes::with_capacity(input.len());
    for (name, value) in input {
        match find(&name) {
            Some(attribute) => kept.set(attribute.name.clone(), known(attribute, value, policy)?),
            None => kept.set(name, value),
        }
    }
    Ok(Value::Complex(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Attributes {
        serde_json::from_str(text).unwrap()
    }

    fn sent(text: &str) -> Result<Attributes, ScimError> {
        partial(&TypeSchema::user(), read(text), &Policy::patch())
    }

    #[test]
    fn only_what_is_sent_counts() {
        let have = sent(
            r#"{"schemas":[],"id":"x","meta":{},"USERNAME":"ada","active":"True","title":null,
            "name":{"GIVENNAME":"Ada","middleName":null},"urn:contoso:employee":{"HireDate":"2026-01-01"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"7","Department":"R&D"}}"#,
        );
        let want = read(
            r#"{"userName":"ada","active":true,"title":null,"name":{"givenName":"Ada","middleName":null},
            "urn:contoso:employee":{"HireDate":"2026-01-01"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7"},"department":"R&D"}}"#,
        );
        assert_eq!(have.unwrap(), want);
        for wrong in [r#"{"name":"Ada"}"#, r#"{"active":"perhaps"}"#, r#"{"name":{"givenName":7}}"#] {
            assert!(sent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_sent_stays() {
        let mut known =
            read(r#"{"title":"a","name":{"givenName":"Ada","familyName":"King"},"emails":[{"value":"a"}]}"#);
        merge(
            &mut known,
            read(r#"{"TITLE":null,"name":{"familyName":"Lovelace"},"emails":[{"value":"b"}],"active":true}"#),
        );
        let want = r#"{"title":null,"name":{"givenName":"Ada","familyName":"Lovelace"},"emails":[{"value":"b"}],"active":true}"#;
        assert_eq!(known, read(want));
    }
}
