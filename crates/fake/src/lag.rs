//! Reads that lag behind writes: what resources were like before they were last written, and answers as they would have been
//! then. Membership and other values that follow from another resource are as new as the service has them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use provost_model::{Filter, Operator};
use serde_json::{Value, json};

use crate::Fault;

/// What was written, by the path of the resource below the SCIM base.
#[derive(Default)]
pub(crate) struct History {
    requests: u64,
    written: HashMap<String, Vec<Before>>,
}

struct Before {
    request: u64,
    at: Instant,
    /// None when it was not there.
    resource: Option<Value>,
    /// Whether it was deleted then.
    deleted: bool,
}

impl History {
    /// Counts a request.
    pub fn count(&mut self) {
        self.requests += 1;
    }

    /// A resource was written that was like this before.
    pub fn wrote(&mut self, path: &str, resource: Option<Value>, deleted: bool) {
        let before = Before { request: self.requests, at: Instant::now(), resource, deleted };
        self.written.entry(path.to_owned()).or_default().push(before);
    }

    /// What a lagging read sees of a resource, if that is not what it is now.
    fn seen(&self, fault: Fault, path: &str) -> Option<Option<&Value>> {
        let young = |before: &&Before| match fault {
            Fault::Lag(requests) => self.requests <= before.request + u64::from(requests),
            Fault::LagMs(ms) => before.at.elapsed() < Duration::from_millis(ms),
            _ => false,
        };
        self.written.get(path)?.iter().find(young).map(|before| before.resource.as_ref())
    }

    /// Makes an answer that of a moment ago; gives its status. `filter` is none where there is none.
    pub fn rewind(&self, fault: Fault, path: &str, filter: Option<&str>, status: u16, body: &mut Value) -> u16 {
        if let Some(seen) = self.seen(fault, path) {
            return match seen {
                Some(before) => {
                    *body = before.clone();
                    200
                }
                None => {
                    *body = missing(path);
                    404
                }
            };
        }
        let mut total = body.get("totalResults").and_then(Value::as_i64).unwrap_or(0);
        let first = body.get("startIndex").and_then(Value::as_u64).unwrap_or(1) <= 1;
        let Some(resources) = body.get_mut("Resources").and_then(Value::as_array_mut) else { return status };
        let collection = path.trim_end_matches('/');
        let mut shown = Vec::new();
        resources.retain_mut(|resource| {
            let place = format!("{collection}/{}", resource.get("id").and_then(Value::as_str).unwrap_or_default());
            let stays = match self.seen(fault, &place) {
                None => true,
                Some(Some(before)) => {
                    *resource = before.clone();
                    finds(filter, resource)
                }
                Some(None) => false,
            };
            total -= i64::from(!stays);
            shown.push(place);
            stays
        });
        // What was deleted, or no longer matches, is found as it was.
        let here = |path: &str| path.rsplit_once('/').is_some_and(|(parent, _)| parent == collection);
        for (path, written) in self.written.iter().filter(|(path, _)| first && here(path) && !shown.contains(path)) {
            let deleted = written.last().is_some_and(|last| last.deleted);
            if let Some(Some(before)) = self.seen(fault, path)
                && (deleted || filter.is_some())
                && finds(filter, before)
            {
                resources.push(before.clone());
                total += 1;
            }
        }
        let count = resources.len();
        body["totalResults"] = total.max(0).into();
        if body.get("itemsPerPage").is_some() {
            body["itemsPerPage"] = count.into();
        }
        status
    }
}

/// Whether a resource is what a filter asks for; of filters other than one `eq` on a plain attribute nothing is known, and
/// they find it.
fn finds(filter: Option<&str>, resource: &Value) -> bool {
    let Some(Ok(Filter::Term(term))) = filter.map(str::parse::<Filter>) else { return true };
    let Some(wanted) = term.value.as_text().filter(|_| term.op == Operator::Eq && term.path.sub.is_none()) else {
        return true;
    };
    let mut fields = resource.as_object().into_iter().flatten();
    let field =
        fields.find(|(name, _)| name.eq_ignore_ascii_case(&term.path.name)).and_then(|(_, value)| value.as_str());
    field.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
}

fn missing(path: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "404",
        "detail": format!("{path} is not there yet"),
    })
}
