//! Lists that do not hold what they should: pages that come twice, are left out, or end too early.

use bytes::Bytes;
use serde_json::Value;

use crate::Fault;
use crate::address::parameter;
use crate::target::{Shared, lock};

/// A query without a parameter.
pub(crate) fn without(query: &str, name: &str) -> String {
    let is_other = |pair: &&str| !pair.split('=').next().unwrap_or_default().eq_ignore_ascii_case(name);
    query.split('&').filter(is_other).collect::<Vec<_>>().join("&")
}

/// Where the page after this one is; none when this is the last.
pub(crate) fn after(place: &str, page: &Bytes) -> Option<String> {
    let page: Value = serde_json::from_slice(page).ok()?;
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let rest = without(&without(query, "startIndex"), "cursor");
    if let Some(cursor) = page.get("nextCursor").and_then(Value::as_str) {
        return Some(format!("{path}?{rest}&cursor={cursor}"));
    }
    let start = page.get("startIndex").and_then(Value::as_u64).unwrap_or(1);
    let next = start + page.get("Resources")?.as_array()?.len() as u64;
    (next <= page.get("totalResults")?.as_u64()?).then(|| format!("{path}?{rest}&startIndex={next}"))
}

/// The next page, said to be this one.
pub(crate) fn in_place_of(page: &Bytes, next: &Bytes) -> Bytes {
    let (Ok(page), Ok(mut next)) = (serde_json::from_slice::<Value>(page), serde_json::from_slice::<Value>(next))
    else {
        return page.clone();
    };
    if let Some(start) = page.get("startIndex") {
        next["startIndex"] = start.clone();
    }
    next.to_string().into()
}

/// Breaks a list as the fault says. `place`: path and query that the service was asked for.
pub(crate) fn broken(shared: &Shared, fault: Fault, place: &str, body: &mut Value) {
    let number = |body: &Value, name: &str| body.get(name).and_then(Value::as_u64);
    let Some(resources) = body.get_mut("Resources").and_then(Value::as_array_mut) else { return };
    let count = resources.len() as u64;
    if fault == Fault::ShortList {
        resources.pop();
    }
    if fault == Fault::Twice
        && let [first, .., last] = resources.as_mut_slice()
    {
        last.clone_from(first);
    }
    if fault == Fault::EmptyList {
        resources.clear();
        if let Some(list) = body.as_object_mut() {
            list.remove("nextCursor");
            list.insert("totalResults".to_owned(), 0.into());
            list.insert("itemsPerPage".to_owned(), 0.into());
        }
        return;
    }
    if fault == Fault::EarlyEnd {
        let start = number(body, "startIndex").unwrap_or(1);
        if let Some(list) = body.as_object_mut() {
            list.remove("nextCursor");
            if let Some(total) = list.get_mut("totalResults") {
                *total = (start - 1 + count).into();
            }
        }
    }
    let repeats = lock(&shared.faults).iter().any(|rule| rule.fault() == Fault::RepeatPage);
    if !repeats {
        return;
    }
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let list = format!("{path}?{}", without(&without(query, "startIndex"), "cursor"));
    let mut pages = lock(&shared.pages);
    match pages.get(&list).filter(|_| fault == Fault::RepeatPage) {
        Some(last) => {
            let start = parameter(query, "startIndex").and_then(|text| text.parse::<u64>().ok());
            *body = last.clone();
            if let Some(start) = start.filter(|_| body.get("startIndex").is_some()) {
                body["startIndex"] = start.into();
            }
        }
        None => {
            pages.insert(list, body.clone());
        }
    }
}
