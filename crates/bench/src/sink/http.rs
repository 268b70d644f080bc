//! Requests and answers of the sink, and its three private addresses: `GET /__stats`, `POST /__reset` (all; with
//! `?counters` the counters alone, the resources stay) and `GET /__digest`. Private addresses know no weather.

use std::{
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, header};
use serde_json::{Value, json};

use super::{
    digest, discovery, patch, path,
    stats::{ROUTES, Stats},
    table::{self, Change, Kind, Resource, Table, Written, tree},
    weather::{Admission, Clouds, Fault, Weather},
};

/// Largest page, and what ServiceProviderConfig says of it.
const MAX_RESULTS: usize = 1_000;
const CONTENT: &str = "application/scim+json";

/// State and counters of a sink.
#[derive(Debug)]
pub struct Sink {
    url: String,
    clouds: Clouds,
    stats: Stats,
    users: Mutex<Table>,
    groups: Mutex<Table>,
}

/// Returned to hyper in place of an answer; it closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("connection dropped on purpose or by the client")]
pub struct Dropped;

struct Answer {
    status: u16,
    body: Bytes,
    retry_after: Option<u64>,
    location: Option<String>,
}

impl Answer {
    fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), retry_after: None, location: None }
    }

    fn json(status: u16, value: &Value) -> Self {
        Self::new(status, value.to_string())
    }

    fn error(status: u16, scim_type: Option<&str>, detail: &str) -> Self {
        let mut value = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail});
        if let Some(kind) = scim_type {
            value["scimType"] = json!(kind);
        }
        Self::json(status, &value)
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut builder = Response::builder().status(self.status);
        if !self.body.is_empty() {
            builder = builder.header(header::CONTENT_TYPE, CONTENT);
        }
        if let Some(seconds) = self.retry_after {
            builder = builder.header(header::RETRY_AFTER, seconds);
        }
        if let Some(location) = self.location {
            builder = builder.header(header::LOCATION, location);
        }
        builder.body(Full::new(self.body)).unwrap_or_default()
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    #[must_use]
    pub fn new(url: String, weather: Weather) -> Self {
        Self {
            url,
            clouds: Clouds::new(weather),
            stats: Stats::default(),
            users: Mutex::new(Table::new(Kind::User)),
            groups: Mutex::new(Table::new(Kind::Group)),
        }
    }

    /// Answers one request, or drops the connection when a fault says so.
    pub async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let path = path.strip_prefix("/scim/v2").unwrap_or(path).to_owned();
        let query = parts.uri.query().unwrap_or("").to_owned();
        if path.starts_with("/__") {
            return Ok(self.private(&parts.method, &path, &query).response());
        }
        let _in_flight = self.stats.enter();
        let route = route_of(&parts.method, &path, &query);
        // Read in any case: a body left on the wire would spoil the connection for the next request.
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        self.stats.bytes_in.fetch_add(body.len() as u64, Relaxed);
        if let Admission::Limited { retry_after, early } = self.clouds.admit(Instant::now()) {
            self.stats.early.fetch_add(u64::from(early), Relaxed);
            self.stats.count(route, 429);
            let limited = Answer::error(429, None, "too many requests");
            return Ok(Answer { retry_after: Some(retry_after), ..limited }.response());
        }
        let fault = self.clouds.fault();
        self.stats.faults.fetch_add(u64::from(fault.is_some()), Relaxed);
        if let Some(latency) = self.clouds.latency() {
            tokio::time::sleep(latency).await;
        }
        let answer = match fault {
            Some(Fault::Error) => Answer::error(500, None, "fault: nothing was done"),
            Some(Fault::Unavailable) => {
                Answer { retry_after: Some(1), ..Answer::error(503, None, "fault: come back later") }
            }
            Some(Fault::DropBefore) => return self.dropped(route),
            Some(Fault::DropAfter) => {
                self.answer(&parts.method, &path, &query, body);
                return self.dropped(route);
            }
            Some(Fault::ErrorAfter) => {
                self.answer(&parts.method, &path, &query, body);
                Answer::error(500, None, "fault: it was done nevertheless")
            }
            None => self.answer(&parts.method, &path, &query, body),
        };
        self.stats.count(route, answer.status);
        Ok(answer.response())
    }

    fn dropped(&self, route: usize) -> Result<Response<Full<Bytes>>, Dropped> {
        self.stats.count(route, 0);
        Err(Dropped)
    }

    fn private(&self, method: &Method, path: &str, query: &str) -> Answer {
        match (method.as_str(), path) {
            ("GET", "/__stats") => {
                let (users, groups) = (lock(&self.users).len(), lock(&self.groups).len());
                Answer::json(200, &self.stats.report(users, groups))
            }
            ("POST", "/__reset") => {
                if query != "counters" {
                    *lock(&self.users) = Table::new(Kind::User);
                    *lock(&self.groups) = Table::new(Kind::Group);
                }
                self.stats.reset();
                Answer::new(204, Bytes::new())
            }
            ("GET", "/__digest") => Answer::json(200, &self.digest()),
            _ => Answer::error(404, None, "no such address"),
        }
    }

    fn digest(&self) -> Value {
        let (users, groups) = (lock(&self.users), lock(&self.groups));
        let name_of = |id: &str| {
            let (table, kind) =
                if Kind::User.slot(id).is_some() { (&users, Kind::User) } else { (&groups, Kind::Group) };
            Some(tree(table.get(kind.slot(id)?)?).get(kind.key())?.as_str()?.to_lowercase())
        };
        let whole = |table: &Table| digest::sum(table.all().map(tree), name_of);
        let text = format!("{:032x}", whole(&users).wrapping_add(whole(&groups).rotate_left(64)));
        json!({"digest": text, "users": users.len(), "groups": groups.len()})
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: Bytes) -> Answer {
        let (kind, rest) = if let Some(rest) = path.strip_prefix("/Users") {
            (Kind::User, rest)
        } else if let Some(rest) = path.strip_prefix("/Groups") {
            (Kind::Group, rest)
        } else {
            let document = discovery::document(path, MAX_RESULTS).filter(|_| *method == Method::GET);
            return document.map_or_else(|| Answer::error(404, None, "no such address"), |d| Answer::json(200, &d));
        };
        let table = match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        };
        if rest.is_empty() {
            return match method.as_str() {
                "POST" => self.create(kind, table, body),
                "GET" => self.list(kind, table, query),
                _ => Answer::error(405, None, "not here"),
            };
        }
        let Some(slot) = rest.strip_prefix('/').and_then(|id| kind.slot(id)) else {
            return missing();
        };
        match method.as_str() {
            "GET" => {
                let found = lock(table).get(slot).cloned();
                found.map_or_else(missing, |r| {
                    Answer::new(200, self.text(kind, slot, &r, !query.contains("excludedAttributes=members")))
                })
            }
            "DELETE" if lock(table).delete(slot) => Answer::new(204, Bytes::new()),
            "DELETE" => missing(),
            "PATCH" => match patch::steps(&body) {
                Ok(steps) => self.write_to(kind, slot, table, |old| table::patched(kind, old, steps.clone())),
                Err(detail) => Answer::error(400, Some("invalidSyntax"), &detail),
            },
            "PUT" => match table::draft(kind, body) {
                Ok(draft) => self.write_to(kind, slot, table, |old| Ok(table::replaced(old, draft.clone()))),
                Err(detail) => Answer::error(400, Some("invalidValue"), &detail),
            },
            _ => Answer::error(405, None, "not here"),
        }
    }

    fn create(&self, kind: Kind, table: &Mutex<Table>, body: Bytes) -> Answer {
        let draft = match table::draft(kind, body) {
            Ok(draft) => draft,
            Err(detail) => return Answer::error(400, Some("invalidValue"), &detail),
        };
        let resource = draft.resource.clone();
        let Some(slot) = lock(table).create(draft) else {
            return Answer::error(409, Some("uniqueness"), "the name is taken");
        };
        let location = Some(format!("{}/{}s/{}", self.url, kind.name(), kind.id(slot)));
        Answer { location, ..Answer::new(201, self.text(kind, slot, &resource, true)) }
    }

    fn list(&self, kind: Kind, table: &Mutex<Table>, query: &str) -> Answer {
        let value_of = |name: &str| {
            let raw = query.split('&').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == name))?.1;
            let spaced = raw.replace('+', " ");
            Some(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
        };
        let number = |name, otherwise| value_of(name).and_then(|v| v.parse::<usize>().ok()).unwrap_or(otherwise);
        let start = number("startIndex", 1).max(1);
        let count = number("count", 100).min(MAX_RESULTS);
        let members = !value_of("excludedAttributes").is_some_and(|v| v.contains("members"));
        let (total, page) = match value_of("filter") {
            None => {
                let table = lock(table);
                (table.len(), table.page(start - 1, count))
            }
            Some(filter) => {
                let Some(conditions) = path::conditions(&filter) else {
                    return Answer::error(400, Some("invalidFilter"), "only eq, joined by and");
                };
                let found = lock(table).find(&conditions);
                (found.len(), found.into_iter().skip(start - 1).take(count).collect())
            }
        };
        let mut out = format!(
            "{{\"schemas\":[\"{}\"],\"totalResults\":{total},\"startIndex\":{start},\"itemsPerPage\":{},\"Resources\":[",
            discovery::LIST,
            page.len()
        );
        for (n, (slot, resource)) in page.iter().enumerate() {
            out.push_str(if n > 0 { "," } else { "" });
            self.write(&mut out, kind, *slot, resource, members);
        }
        out.push_str("]}");
        Answer::new(200, out)
    }

    /// Makes the change without the lock and stores it, again and again until nobody wrote in between.
    fn write_to(
        &self,
        kind: Kind,
        slot: usize,
        table: &Mutex<Table>,
        change: impl Fn(&Resource) -> Result<Change, String>,
    ) -> Answer {
        loop {
            let Some(old) = lock(table).get(slot).cloned() else { return missing() };
            let change = match change(&old) {
                Ok(change) => change,
                Err(detail) => return Answer::error(400, Some("invalidValue"), &detail),
            };
            let written = lock(table).store(slot, &old, change);
            if let Some(written) = written {
                return self.written(kind, slot, written);
            }
        }
    }

    fn written(&self, kind: Kind, slot: usize, written: Written) -> Answer {
        let resource = match written {
            Written::Changed(resource) => resource,
            Written::Same(resource) => {
                self.stats.noop_writes.fetch_add(1, Relaxed);
                resource
            }
            Written::Missing => return missing(),
            Written::Conflict => return Answer::error(409, Some("uniqueness"), "the name is taken"),
            Written::Invalid(detail) => return Answer::error(400, Some("invalidValue"), &detail),
        };
        match kind {
            Kind::User => Answer::new(200, self.text(kind, slot, &resource, true)),
            // A group may have many members; servers that care answer without them.
            Kind::Group => Answer::new(204, Bytes::new()),
        }
    }

    fn text(&self, kind: Kind, slot: usize, resource: &Resource, members: bool) -> String {
        let mut out = String::with_capacity(resource.text.len() + 256);
        self.write(&mut out, kind, slot, resource, members);
        out
    }

    /// Splices id, meta and members into the stored text, so that nothing is parsed to answer.
    fn write(&self, out: &mut String, kind: Kind, slot: usize, resource: &Resource, members: bool) {
        let (id, name) = (kind.id(slot), kind.name());
        out.push_str("{\"id\":\"");
        out.push_str(&id);
        for part in
            ["\",\"meta\":{\"resourceType\":\"", name, "\",\"location\":\"", &self.url, "/", name, "s/", &id, "\"}"]
        {
            out.push_str(part);
        }
        if members && !resource.members.is_empty() {
            out.push_str(",\"members\":");
            out.push_str(&serde_json::to_string(&resource.members.values().collect::<Vec<_>>()).unwrap_or_default());
        }
        let text = std::str::from_utf8(&resource.text).unwrap_or("{}");
        let inner = text.trim_start().strip_prefix('{').unwrap_or("}");
        if !inner.trim_start().starts_with('}') {
            out.push(',');
        }
        out.push_str(inner);
    }
}

fn missing() -> Answer {
    Answer::error(404, None, "no such resource")
}

/// Index into [`ROUTES`].
fn route_of(method: &Method, path: &str, query: &str) -> usize {
    let (base, rest) = if let Some(rest) = path.strip_prefix("/Users") {
        (0, rest)
    } else if let Some(rest) = path.strip_prefix("/Groups") {
        (7, rest)
    } else {
        return if matches!(path, "/ServiceProviderConfig" | "/ResourceTypes" | "/Schemas") { 14 } else { 15 };
    };
    let step = match (method.as_str(), rest.is_empty()) {
        ("POST", true) => 0,
        ("GET", true) if query.contains("filter=") => 1,
        ("GET", true) => 2,
        ("GET", false) => 3,
        ("PATCH", false) => 4,
        ("PUT", false) => 5,
        ("DELETE", false) => 6,
        _ => return ROUTES.len() - 1,
    };
    base + step
}
