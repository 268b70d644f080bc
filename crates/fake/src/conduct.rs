//! How a client behaves: a list of checks, each with what it is about and what was seen of it. Only what can be told for
//! certain from the requests themselves is held against a client; what never came up stays `not seen`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT};
use percent_encoding::percent_decode_str;
use provost_model::{Filter, Operator};
use serde::Serialize;
use serde_json::Value;

use crate::Fault;

/// One thing that a client should do, or should not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub id: &'static str,
    /// What a good client does.
    pub about: &'static str,
    /// Whether data can be lost or made twice by a client that does not.
    pub must: bool,
    /// How often it came up and was as it should be.
    pub good: u64,
    /// How often it was not.
    pub bad: u64,
    /// The first time it was not.
    pub evidence: Option<String>,
}

impl Check {
    /// `not seen`, `good` or `violated`.
    pub fn state(&self) -> &'static str {
        match (self.good, self.bad) {
            (0, 0) => "not seen",
            (_, 0) => "good",
            _ => "violated",
        }
    }
}

/// Id, whether it is a must, and what a good client does.
const CHECKS: [(&str, bool, &str); 10] = [
    ("lost-create", true, "looks for the object before it creates again when an answer was lost"),
    ("verify-match", true, "acts only on objects that match what it asked for"),
    ("repeat", true, "does not repeat unchanged what was refused"),
    ("retry-after", true, "waits as long as Retry-After says"),
    ("token-in-url", true, "keeps its token out of addresses"),
    ("content-type", true, "says that its bodies are JSON"),
    ("noop", false, "sends no change that changes nothing"),
    ("next-page", false, "reads lists to their last page"),
    ("accept", false, "says that it takes JSON"),
    ("user-agent", false, "says who it is"),
];

/// A request as the client sent it.
pub(crate) struct Sent<'a> {
    pub method: &'a str,
    /// Below the SCIM base.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a Value,
    pub at: Instant,
}

/// What became of it.
pub(crate) struct Got<'a> {
    /// The service's status, also when the client never saw it.
    pub status: u16,
    pub fault: Fault,
    /// As the service gave it, before the dialect.
    pub body: &'a Value,
    /// The version of the resource afterwards.
    pub etag: Option<&'a str>,
    /// Whether filters count.
    pub filters: bool,
}

/// What was seen so far.
pub(crate) struct Conduct {
    token: String,
    checks: Vec<Check>,
    /// Until when this request is not to be sent again.
    waits: HashMap<String, Instant>,
    refused: BTreeSet<String>,
    /// Creates whose answer was lost, and whether the client has looked since.
    lost: BTreeMap<String, bool>,
    /// Ids that came as the answer to a filter they do not match.
    strangers: BTreeSet<String>,
    versions: HashMap<String, String>,
    /// Lists that go on, by path: where.
    open: BTreeMap<String, (u64, u64)>,
}

impl Conduct {
    pub fn new(token: &str) -> Self {
        let check = |(id, must, about)| Check { id, about, must, good: 0, bad: 0, evidence: None };
        Self {
            token: token.to_owned(),
            checks: CHECKS.into_iter().map(check).collect(),
            waits: HashMap::new(),
            refused: BTreeSet::new(),
            lost: BTreeMap::new(),
            strangers: BTreeSet::new(),
            versions: HashMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// All checks; lists that nobody has read on count by now.
    pub fn report(&self) -> Vec<Check> {
        let mut checks = self.checks.clone();
        if let (Some((path, (next, total))), Some(check)) =
            (self.open.first_key_value(), checks.iter_mut().find(|check| check.id == "next-page"))
        {
            check.bad += self.open.len() as u64;
            let evidence = format!("GET {path}: stopped before {next} of {total}");
            check.evidence.get_or_insert(evidence);
        }
        checks
    }

    fn note(&mut self, id: &str, good: bool, evidence: impl FnOnce() -> String) {
        let Some(check) = self.checks.iter_mut().find(|check| check.id == id) else { return };
        if good {
            check.good += 1;
        } else {
            check.bad += 1;
            check.evidence.get_or_insert_with(evidence);
        }
    }

    /// What a request tells by itself and by what came before.
    pub fn asked(&mut self, sent: &Sent<'_>) {
        let name = || format!("{} {}", sent.method, sent.path);
        let header =
            |name: HeaderName| sent.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The answer to a DELETE has no content, and Entra's own service refuses the header on it.
        if sent.method != "DELETE" {
            let takes = header(ACCEPT);
            let good = takes.contains("json") || takes.contains("*/*");
            self.note("accept", good, || format!("{}: Accept: {takes}", name()));
        }
        self.note("user-agent", !header(USER_AGENT).is_empty(), name);
        let has_token = !self.token.is_empty() && (sent.query.contains(&self.token) || sent.path.contains(&self.token));
        self.note("token-in-url", !has_token, name);
        if !sent.body.is_null() {
            let media = header(CONTENT_TYPE);
            self.note("content-type", media.contains("json"), || format!("{}: Content-Type: {media}", name()));
        }
        let key = key(sent);
        if let Some(until) = self.waits.get(&key).copied() {
            let early = until.saturating_duration_since(sent.at);
            self.note("retry-after", early.as_millis() < 50, || format!("{}: {} ms early", name(), early.as_millis()));
            self.waits.remove(&key);
        }
        if is_write(sent.method) {
            let again = self.refused.contains(&key);
            if again || !self.refused.is_empty() {
                self.note("repeat", !again, || format!("{} again, as it was refused", name()));
            }
            let id = sent.path.rsplit('/').next().unwrap_or_default().to_owned();
            if self.strangers.contains(&id) {
                self.note("verify-match", false, || format!("{}: the object is not what the filter asked for", name()));
            }
        }
        match sent.method {
            "POST" if !sent.path.ends_with("/.search") => {
                let made = made(sent);
                if let Some(looked) = self.lost.remove(&made) {
                    self.note("lost-create", looked, || format!("{made} again, without a look"));
                }
                if !self.strangers.is_empty() {
                    self.note("verify-match", true, String::new);
                }
            }
            "GET" | "POST" => {
                let endpoint = sent.path.trim_end_matches("/.search");
                for (_, looked) in self.lost.iter_mut().filter(|(made, _)| made.starts_with(&format!("{endpoint} "))) {
                    *looked = true;
                }
            }
            _ => {}
        }
    }

    /// What follows from the answer.
    pub fn answered(&mut self, sent: &Sent<'_>, got: &Got<'_>) {
        if let Fault::Status(_, Some(seconds)) = got.fault {
            self.waits.insert(key(sent), Instant::now() + std::time::Duration::from_secs(seconds.into()));
            return;
        }
        if is_write(sent.method) {
            if matches!(got.status, 400 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 501) && got.fault == Fault::None {
                self.refused.insert(key(sent));
            } else if got.status < 300 {
                // What was refused may succeed now: a member that has come to be.
                self.refused.clear();
            }
        }
        if got.fault == Fault::DropAfter && sent.method == "POST" && got.status == 201 {
            self.lost.insert(made(sent), false);
        }
        self.versions_of(sent, got);
        if got.fault == Fault::None && got.status == 200 && sent.method == "GET" {
            self.list(sent, got);
        }
    }

    fn versions_of(&mut self, sent: &Sent<'_>, got: &Got<'_>) {
        let Some(etag) = got.etag.filter(|_| got.status < 300) else { return };
        let id = match got.body.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => sent.path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let before = self.versions.insert(id, etag.to_owned());
        if matches!(sent.method, "PATCH" | "PUT")
            && let Some(before) = before
        {
            self.note("noop", before != etag, || format!("{} {} changed nothing", sent.method, sent.path));
        }
    }

    fn list(&mut self, sent: &Sent<'_>, got: &Got<'_>) {
        let Some(resources) = got.body.get("Resources").and_then(Value::as_array) else { return };
        let filter = parameter(sent.query, "filter");
        if let Some(text) = &filter {
            if !got.filters {
                self.meet_strangers(text, resources);
            }
            return;
        }
        let number = |name| parameter(sent.query, name).and_then(|text| text.parse::<u64>().ok());
        let (start, count) = (number("startIndex").unwrap_or(1), number("count"));
        if self.open.get(sent.path).is_some_and(|(next, _)| *next == start) {
            self.open.remove(sent.path);
            self.note("next-page", true, String::new);
        }
        let total = got.body.get("totalResults").and_then(Value::as_u64).unwrap_or(0);
        let next = start + resources.len() as u64;
        // Whoever asks for a few only wants to see whether there is anybody.
        if next <= total && !resources.is_empty() && count.is_none_or(|count| count >= 10) {
            self.open.insert(sent.path.to_owned(), (next, total));
        }
    }

    /// Remembers who was found although nothing of them is what was asked for.
    fn meet_strangers(&mut self, text: &str, resources: &[Value]) {
        let Ok(Filter::Term(term)) = text.parse::<Filter>() else { return };
        let Some(wanted) = term.value.as_text().filter(|_| term.op == Operator::Eq).map(str::to_lowercase) else {
            return;
        };
        for resource in resources {
            let Some(id) = resource.get("id").and_then(Value::as_str) else { continue };
            if resource.to_string().to_lowercase().contains(&wanted) {
                self.strangers.remove(id);
            } else {
                self.strangers.insert(id.to_owned());
            }
        }
    }
}

fn is_write(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}

fn key(sent: &Sent<'_>) -> String {
    format!("{} {}?{} {}", sent.method, sent.path, sent.query, sent.body)
}

/// What a POST makes: its endpoint and what the object is called.
fn made(sent: &Sent<'_>) -> String {
    let name = ["userName", "displayName", "externalId"].iter().find_map(|name| sent.body.get(name)?.as_str());
    format!("{} {}", sent.path, name.unwrap_or_default())
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}
