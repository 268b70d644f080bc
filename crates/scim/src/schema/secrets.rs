//! Where a type's secrets are: what a client may send and nobody gets back (`password`, RFC 7643 section 7).

use provost_model::{Attributes, Text, Value};

use super::{Attribute, TypeSchema};

/// The ways to a type's secrets, in its core schema, in its extensions, and in parts of attributes.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Vec<Text>>);

impl Secrets {
    /// Those of the type. Worth keeping where many resources pass.
    pub fn of(types: &TypeSchema) -> Self {
        let mut ways = Vec::new();
        gather(&types.core.attributes, &[], &mut ways);
        for extension in &types.extensions {
            gather(&extension.schema.attributes, std::slice::from_ref(&extension.schema.id), &mut ways);
        }
        Self(ways)
    }

    /// Takes the secrets out of a resource, with the lists and containers that this leaves empty.
    pub fn strip(&self, resource: &mut Attributes) {
        for way in &self.0 {
            forget(resource, way);
        }
    }
}

fn gather(attributes: &[Attribute], way: &[Text], ways: &mut Vec<Vec<Text>>) {
    for attribute in attributes {
        let way = [way, std::slice::from_ref(&attribute.name)].concat();
        if attribute.is_secret() {
            ways.push(way);
        } else {
            gather(&attribute.sub_attributes, &way, ways);
        }
    }
}

fn forget(attributes: &mut Attributes, way: &[Text]) {
    let [name, rest @ ..] = way else { return };
    if rest.is_empty() {
        attributes.remove(name);
        return;
    }
    let Some(value) = attributes.find_mut(name) else { return };
    let emptied = match value {
        Value::Complex(parts) => {
            forget(parts, rest);
            parts.is_empty()
        }
        Value::List(elements) => {
            elements.retain_mut(|element| match element {
                Value::Complex(parts) => {
                    forget(parts, rest);
                    !parts.is_empty()
                }
                _ => true,
            });
            elements.is_empty()
        }
        _ => false,
    };
    if emptied {
        attributes.remove(name);
    }
}
