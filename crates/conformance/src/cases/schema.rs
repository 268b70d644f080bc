//! What a connection says of itself holds together.

use std::collections::BTreeSet;

use provost_model::{ClassSchema, Mutability, Schema};

use super::{Case, Played, Subject, case, demand};
use crate::ground::Ground;

const GROUP: &str = "schema";

pub(super) const CASES: &[Case] = &[
    case!(18, Basic, Connection, "names of classes and attributes are there, and once", names),
    case!(20, Basic, Connection, "what a create needs can be written", required),
    case!(21, Basic, Connection, "capabilities name what the schema has", named),
    case!(22, Basic, Connection, "the schema is the same when it is asked for again", stable),
];

async fn names(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    demand!(!ground.schema.classes.is_empty(), "the schema has no class");
    let mut classes = BTreeSet::new();
    for class in &ground.schema.classes {
        demand!(!class.name.is_empty(), "a class without name");
        demand!(classes.insert(class.name.to_ascii_lowercase()), "two classes `{}`", class.name);
        let mut attributes = BTreeSet::new();
        for attribute in &class.attributes {
            demand!(!attribute.name.is_empty(), "`{}` has an attribute without name", class.name);
            let is_new = attributes.insert(attribute.name.to_ascii_lowercase());
            demand!(is_new, "`{}` has two attributes `{}`", class.name, attribute.name);
        }
        for key in &class.keys {
            let path: Result<provost_model::AttributePath, _> = key.parse();
            let is_known = class.open || path.is_ok_and(|path| class.resolve(&path).is_some());
            demand!(is_known, "the key `{key}` of `{}` is no attribute", class.name);
        }
    }
    Ok(())
}

async fn required(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    for class in &ground.schema.classes {
        let impossible = class
            .attributes
            .iter()
            .find(|attribute| attribute.required && attribute.mutability == Mutability::ReadOnly);
        if let Some(attribute) = impossible {
            demand!(false, "`{}` of `{}` is required and read-only", attribute.name, class.name);
        }
    }
    Ok(())
}

async fn named(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let can = ground.capabilities();
    demand!(can.max_in_flight > 0 && can.max_batch > 0 && can.max_lookup > 0, "a limit is zero: {can:?}");
    for class in &can.classes {
        let Some(schema) = ground.class(&class.name) else {
            demand!(false, "the schema has no class `{}`", class.name);
            continue;
        };
        let switch = class.enablement.as_ref().map(|switch| switch.path.to_string());
        let looked_up = class.lookup.iter().filter(|name| *name != "*" && *name != "id").map(ToString::to_string);
        for name in looked_up.chain(switch) {
            let path: Result<provost_model::AttributePath, _> = name.parse();
            let is_known = schema.open || path.is_ok_and(|path| schema.resolve(&path).is_some());
            demand!(is_known, "`{name}` is no attribute of `{}`", class.name);
        }
    }
    Ok(())
}

async fn stable(ground: &Ground<'_>, _: Subject<'_>) -> Played {
    let again = ground.session.schema(&ground.cx()).await?;
    demand!(again == ground.schema, "it is another one: {}", other(&again, &ground.schema));
    Ok(())
}

/// Where two schemas of a connection begin to differ.
pub(super) fn other(one: &Schema, two: &Schema) -> String {
    let parts = |schema: &Schema| -> Vec<String> {
        let of = |class: &ClassSchema| {
            let attributes = class.attributes.iter().map(|one| format!("{}.{one:?}", class.name));
            std::iter::once(format!("{}, keys {:?}", class.name, class.keys)).chain(attributes).collect::<Vec<_>>()
        };
        schema.classes.iter().flat_map(of).collect()
    };
    let (one, two) = (parts(one), parts(two));
    let at = one.iter().zip(&two).take_while(|(one, two)| one == two).count();
    let told = |parts: &[String]| parts.get(at).map_or_else(|| "nothing".to_owned(), Clone::clone);
    format!("{} instead of {}", told(&one), told(&two))
}
