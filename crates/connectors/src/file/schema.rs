//! The header of today as a schema. A source's class is closed, so that a mapping from a column that is no longer there
//! is found before the cycle; a target's is open, because a new column comes with its first value.

use std::sync::Arc;

use provost_connector::ConnectorError;
use provost_model::schema::{AttributeSchema, AttributeType, ClassSchema, Mutability};
use provost_model::{Schema, Text};

use super::config::Config;
use super::format;
use super::table::{Column, Table};
use super::tree;

pub(super) fn read(config: &Arc<Config>) -> Result<Schema, ConnectorError> {
    let class = if super::is_yet_to_come(config)? { of_settings(config)? } else { format::open(config)?.class()? };
    Ok(Schema { classes: vec![class] })
}

/// What the settings alone say.
fn of_settings(config: &Arc<Config>) -> Result<ClassSchema, ConnectorError> {
    if config.format.is_tree() {
        return Ok(tree::of_settings(&tree::Meaning::of(config)));
    }
    let named = config.key.iter().cloned();
    let named = named.chain(config.references.iter().map(|(name, _)| name.clone()));
    let named = named.chain(config.multi.iter().map(|(name, _)| name.clone()));
    let named = named.chain(config.enabled.iter().map(|enabled| enabled.column.clone()));
    let mut names: Vec<Text> = if config.header { Vec::new() } else { config.names.clone() };
    for name in named {
        if !names.iter().any(|have| have.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    let mut table = Table::with_names(config, names)?;
    table.keys = config.key.iter().filter_map(|name| table.position(name)).collect();
    Ok(of_table(&table, config))
}

/// What a header says.
pub(super) fn of_table(table: &Table, config: &Config) -> ClassSchema {
    let attributes = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| !column.name.is_empty())
        .map(|(at, column)| attribute(column, table.keys.contains(&at), table.keys == [at]));
    let mut attributes: Vec<AttributeSchema> = attributes.collect();
    // The column of `enabled` is appended when somebody is switched, and a mapping may name it before.
    if let Some(enabled) = config.enabled.as_ref().filter(|_| config.write && config.header)
        && table.position(&enabled.column).is_none()
    {
        attributes.push(AttributeSchema::new(enabled.column.clone(), AttributeType::String));
    }
    ClassSchema {
        name: config.class.clone(),
        attributes,
        keys: if let [key] = table.keys[..] { vec![table.columns[key].name.clone()] } else { Vec::new() },
        // Without a header there is no place to name a new column.
        open: config.write && config.header,
    }
}

fn attribute(column: &Column, key: bool, alone: bool) -> AttributeSchema {
    AttributeSchema {
        name: column.name.clone(),
        kind: if column.class.is_some() { AttributeType::Reference } else { AttributeType::String },
        multi_valued: column.separator.is_some(),
        required: key,
        case_exact: key,
        mutability: if key { Mutability::Immutable } else { Mutability::ReadWrite },
        unique: alone,
        reference_classes: column.class.iter().cloned().collect(),
        ..AttributeSchema::default()
    }
}
