//! The classes as the contract shows them.

use provost_model::{AttributeSchema, AttributeType, ClassSchema, Mutability, Schema, Text};

use super::table::{Column, Kind, Table};

pub(super) fn of<'t>(tables: impl Iterator<Item = &'t Table>) -> Schema {
    Schema { classes: tables.map(class).collect() }
}

fn class(table: &Table) -> ClassSchema {
    let mut attributes = Vec::with_capacity(table.columns.len() + table.children.len());
    for (at, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.attribute.is_empty()) {
        let is_key = table.key.contains(&at);
        let managed = table.soft_delete.as_ref().is_some_and(|soft| soft.column == at);
        let mut attribute = attribute(column);
        if let Some(class) = &column.references {
            attribute.kind = AttributeType::Reference;
            attribute.reference_classes = vec![class.clone()];
        }
        attribute.multi_valued = column.array;
        attribute.required = !column.nullable && !column.has_default && !column.generated && table.writable;
        attribute.unique = column.unique || table.key == [at];
        attribute.mutability = match () {
            () if column.generated || managed || !table.writable => Mutability::ReadOnly,
            // The key is how others point at the row.
            () if is_key => Mutability::Immutable,
            () => Mutability::ReadWrite,
        };
        attributes.push(attribute);
    }
    for child in &table.children {
        let mut attribute = attribute(&child.value);
        attribute.multi_valued = true;
        if let Some(class) = &child.references {
            attribute.kind = AttributeType::Reference;
            attribute.reference_classes = vec![class.clone()];
        }
        attribute.mutability = if table.writable { Mutability::ReadWrite } else { Mutability::ReadOnly };
        attributes.push(attribute);
    }
    ClassSchema { name: table.class.clone(), attributes, keys: keys(table), open: false }
}

/// Unique attributes; those that are given by people first, since a generated number is known nowhere else.
fn keys(table: &Table) -> Vec<Text> {
    let unique = |at: &usize| table.columns[*at].unique || table.key == [*at];
    let mut keys: Vec<usize> = (0..table.columns.len()).filter(unique).collect();
    keys.retain(|at| !table.columns[*at].attribute.is_empty());
    keys.sort_by_key(|at| table.columns[*at].generated);
    keys.into_iter().map(|at| table.columns[at].attribute.clone()).collect()
}

fn attribute(column: &Column) -> AttributeSchema {
    let kind = match column.kind {
        Kind::Text | Kind::Uuid | Kind::Json | Kind::Other => AttributeType::String,
        Kind::Integer => AttributeType::Integer,
        Kind::Number | Kind::Float { .. } => AttributeType::Decimal,
        Kind::Boolean => AttributeType::Boolean,
        Kind::Timestamp | Kind::Date => AttributeType::DateTime,
        Kind::Binary => AttributeType::Binary,
    };
    AttributeSchema { case_exact: column.case_exact(), ..AttributeSchema::new(column.attribute.clone(), kind) }
}
