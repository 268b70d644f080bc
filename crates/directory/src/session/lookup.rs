//! Objects by exact values: indexed columns and values in bulk; other attributes by one pass over the class for all values.

use std::collections::{HashMap, HashSet};

use provost_connector::{ConnectorError, Context, ErrorCode, LookupRequest};
use provost_model::{ObjectId, Record, Value};
use provost_scim::collate;
use provost_store::{Lookup, ResourceRow, StoreError};

use super::error::store_error;
use super::place::Place;
use super::record;
use crate::Directory;
use crate::kind::Kind;
use crate::query::PAGE;
use crate::query::access::{column, index, key, text_of};
use crate::resource::parse;

/// For each value the objects that have it.
pub(super) async fn run(
    directory: &Directory,
    kind: &Kind,
    cx: &Context,
    request: &LookupRequest,
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    match column(kind, &request.path) {
        Some(by) => by_column(directory, kind, by, &request.values).await,
        None => by_reading(directory, kind, cx, request).await,
    }
}

async fn by_column(
    directory: &Directory,
    kind: &Kind,
    by: Lookup,
    values: &[Value],
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    let keys: Vec<Option<String>> = values.iter().map(|value| Some(key(kind, by, text_of(value)?))).collect();
    let mut wanted: Vec<&str> = keys.iter().flatten().map(String::as_str).filter(|key| !key.contains('\0')).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = directory.store().resources_by(&kind.name, by, &wanted).await.map_err(|error| store_error(&error))?;
    let of = |row: &ResourceRow| match by {
        Lookup::Id => row.id.to_string(),
        Lookup::NameKey => row.name_key.clone(),
        Lookup::ExternalId => row.external_id.clone().unwrap_or_default(),
    };
    let has: Vec<String> = rows.iter().map(of).collect();
    let records = record::records(directory, kind, rows).await?;
    Ok(deal(keys, has.into_iter().map(|key| vec![key]).zip(records)))
}

/// Hands each record out to the values that it has, by their keys.
fn deal(keys: Vec<Option<String>>, found: impl Iterator<Item = (Vec<String>, Record)>) -> Vec<Vec<Record>> {
    let mut answers: Vec<Vec<Record>> = keys.iter().map(|_| Vec::new()).collect();
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, key) in keys.iter().enumerate() {
        if let Some(key) = key {
            places.entry(key).or_default().push(at);
        }
    }
    for (has, record) in found {
        for at in has.iter().filter_map(|key| places.get(key.as_str())).flatten() {
            if answers[*at].last().is_none_or(|last| last.id != record.id) {
                answers[*at].push(record.clone());
            }
        }
    }
    answers
}

async fn by_reading(
    directory: &Directory,
    kind: &Kind,
    cx: &Context,
    request: &LookupRequest,
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    let leaf = match Place::resolve(kind, &request.path) {
        Ok(Place::Attribute(leaf)) => leaf,
        Ok(Place::Manager | Place::Members) => {
            let message = format!("{} cannot be looked up", request.path);
            return Err(ConnectorError::new(ErrorCode::NotSupported, message).at(request.path.to_string()));
        }
        Err(error) => return Err(super::error::to_connector(&error)),
    };
    let exact = leaf.target().is_exact();
    let fold = |value: &Value| value.to_text().map(|text| collate::fold(&text, exact).into_owned());
    let keys: Vec<Option<String>> = request.values.iter().map(fold).collect();
    let wanted: HashSet<&str> = keys.iter().flatten().map(String::as_str).collect();
    let pick = |row: &ResourceRow| -> Result<Option<Vec<String>>, StoreError> {
        let attributes = parse(row)?;
        let values: Vec<String> = leaf.values(&attributes).into_iter().filter_map(fold).collect();
        Ok(values.iter().any(|value| wanted.contains(value.as_str())).then_some(values))
    };
    if let Some(index) = index(kind, &request.path) {
        let store = directory.store();
        directory.prepare().await.map_err(|error| store_error(&error))?;
        let sought = request.values.iter().filter_map(|value| index.key(value));
        let sought: Vec<i64> = sought.map(|key| index.hash(&key)).collect();
        let found = store.value_owners(&sought).await.map_err(|error| store_error(&error))?;
        let mut ids: Vec<ObjectId> = found.into_iter().map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = store.resources_by(&kind.name, Lookup::Id, &ids).await.map_err(|error| store_error(&error))?;
        let (mut hits, mut has) = (Vec::new(), Vec::new());
        for row in rows {
            if let Some(values) = pick(&row).map_err(|error| store_error(&error))? {
                hits.push(row);
                has.push(values);
            }
        }
        let records = record::records(directory, kind, hits).await?;
        drop(wanted);
        return Ok(deal(keys, has.into_iter().zip(records)));
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        cx.check()?;
        let rows = directory.store().resource_page(&kind.name, after.as_deref(), PAGE as i64).await;
        let rows = rows.map_err(|error| store_error(&error))?;
        let last = rows.len() < PAGE;
        after = rows.last().map(|row| row.id.to_string());
        let (mut hits, mut has) = (Vec::new(), Vec::new());
        for row in rows {
            if let Some(values) = pick(&row).map_err(|error| store_error(&error))? {
                hits.push(row);
                has.push(values);
            }
        }
        found.extend(has.into_iter().zip(record::records(directory, kind, hits).await?));
        if last {
            break;
        }
    }
    drop(wanted);
    Ok(deal(keys, found.into_iter()))
}
