//! What a schema's `directories` tell about attributes, as far as mappings depend on it. The rest Provost discovers itself.

use std::collections::{HashMap, HashSet};

use crate::fields::Fields;
use crate::fields::Reading;
use crate::note::NoteKind;

/// Attributes by directory and object name.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    objects: HashMap<(String, String), HashMap<String, bool>>,
}

impl Definitions {
    pub(crate) fn read(reading: &mut Reading<'_>, schema: &mut Fields<'_>) -> Self {
        let mut found = Self::default();
        let mut names = HashSet::new();
        for mut directory in schema.objects(reading, "directories") {
            let Some(name) = directory.required(reading, "name") else { continue };
            if !names.insert(name) {
                reading.fault(&directory.path, directory.offset, format!("a second directory `{name}`"));
            }
            let message = "read for `accountEnabled` and `flowNullValues` alone; Provost discovers schemas itself";
            reading.note(NoteKind::Label, &directory.path, directory.offset, message);
            for mut object in directory.objects(reading, "objects") {
                let Some(class) = object.required(reading, "name") else { continue };
                let attributes = object.objects(reading, "attributes").into_iter();
                let attributes = attributes.filter_map(|attribute| found_attribute(reading, attribute)).collect();
                found.objects.insert((name.to_owned(), class.to_owned()), attributes);
            }
        }
        found
    }

    /// Whether the object has the attribute.
    pub(crate) fn has(&self, directory: &str, object: &str, attribute: &str) -> bool {
        self.attributes(directory, object).is_some_and(|attributes| attributes.contains_key(attribute))
    }

    /// Whether nulls of the attribute flow.
    pub(crate) fn flows_null(&self, directory: &str, object: &str, attribute: &str) -> bool {
        self.attributes(directory, object).and_then(|attributes| attributes.get(attribute)).copied().unwrap_or(false)
    }

    fn attributes(&self, directory: &str, object: &str) -> Option<&HashMap<String, bool>> {
        self.objects.get(&(directory.to_owned(), object.to_owned()))
    }
}

fn found_attribute(reading: &mut Reading<'_>, mut attribute: Fields<'_>) -> Option<(String, bool)> {
    let name = attribute.required(reading, "name")?;
    let flows_null = attribute.boolean(reading, "flowNullValues").unwrap_or(false);
    let message = "Provost has no default of an attribute; give the mapping one";
    attribute.pass(reading, "defaultValue", NoteKind::Lost, message);
    let message = "where the source connector finds the value is a setting of its connection";
    attribute.pass(reading, "apiExpressions", NoteKind::Lost, message);
    Some((name.to_owned(), flows_null))
}
