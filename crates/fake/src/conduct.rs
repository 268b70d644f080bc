//! How a client behaves: a list of checks, each with what it is about and what was seen of it. Only what can be told for
//! certain from the requests themselves is held against a client; what never came up stays `not seen`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, IF_MATCH, USER_AGENT};
use provost_model::{Filter, Operator};
use serde_json::Value;

use crate::address::{misquoted, parameter, personal, secret};
use crate::check::CHECKS;
use crate::quirk::{field, member_changes};
use crate::{Check, Dialect, Fault};

/// What comes so soon after an answer may have been sent before it.
const ON_THE_WAY: Duration = Duration::from_millis(250);

/// The most values with a backslash that are remembered.
const MOST_TEXTS: usize = 10_000;

/// A request as the client sent it.
pub(crate) struct Sent<'a> {
    pub method: &'a str,
    /// Below the SCIM base.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a Value,
    pub at: Instant,
    /// Whether its address was not one by the letter, and had to be mended.
    pub mended: bool,
}

/// What became of it.
pub(crate) struct Got<'a> {
    /// The service's status, also when the client never saw it.
    pub status: u16,
    pub fault: Fault,
    /// What `Retry-After` says.
    pub wait: Option<Duration>,
    /// As the service gave it, before the dialect.
    pub body: &'a Value,
    /// The version of the resource afterwards.
    pub etag: Option<&'a str>,
    /// Whether filters count.
    pub filters: bool,
}

/// A create whose end the client does not know.
pub(crate) struct Lost {
    /// What the object could be searched by, in lower case and as it stands in a filter.
    names: Vec<String>,
    /// Whether the client has looked since.
    looked: bool,
}

/// What was seen so far.
pub(crate) struct Conduct {
    dialect: Dialect,
    /// All that were ever good.
    tokens: Vec<String>,
    checks: Vec<Check>,
    /// Until when this request is not to be sent again.
    waits: HashMap<String, Instant>,
    /// From when until when the client had better be still.
    pause: Option<(Instant, Instant)>,
    refused: BTreeSet<String>,
    /// Creates whose answer was lost.
    lost: BTreeMap<String, Lost>,
    /// Ids that came as the answer to a filter they do not match.
    strangers: BTreeSet<String>,
    versions: HashMap<String, String>,
    /// Lists that go on, by path: where.
    open: BTreeMap<String, (u64, u64)>,
    /// Values with a backslash that the client has sent.
    texts: BTreeSet<String>,
    /// Cursors that were said to be too old.
    stale: BTreeSet<String>,
}

impl Conduct {
    pub fn new(token: &str, dialect: &Dialect) -> Self {
        let check = |(id, must, about)| Check { id, about, must, good: 0, bad: 0, evidence: None };
        Self {
            dialect: dialect.clone(),
            tokens: vec![token.to_owned()],
            checks: CHECKS.into_iter().map(check).collect(),
            waits: HashMap::new(),
            pause: None,
            refused: BTreeSet::new(),
            lost: BTreeMap::new(),
            strangers: BTreeSet::new(),
            versions: HashMap::new(),
            open: BTreeMap::new(),
            texts: BTreeSet::new(),
            stale: BTreeSet::new(),
        }
    }

    /// Another token that is good.
    pub fn gave(&mut self, token: &str) {
        self.tokens.push(token.to_owned());
    }

    /// Whether a request was within the limits of the target; the error says which not.
    pub fn bore(&mut self, sent: &Sent<'_>, within: Result<(), &str>) {
        self.note("rate", within.is_ok(), || format!("{} {}: {}", sent.method, sent.path, within.err().unwrap_or("")));
    }

    /// The client went before it had the answer to this.
    pub fn left(&mut self, made: String, lost: Lost) {
        self.lost.insert(made, lost);
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
        let tells = |token: &String| !token.is_empty() && (sent.query.contains(token) || sent.path.contains(token));
        let has_token = self.tokens.iter().any(tells);
        self.note("token-in-url", !has_token, name);
        if !sent.body.is_null() {
            let media = header(CONTENT_TYPE);
            self.note("content-type", media.contains("json"), || format!("{}: Content-Type: {media}", name()));
        }
        self.address(sent);
        if sent.method == "PATCH" && self.dialect.members_per_request > 0 {
            let (changes, limit) = (member_changes(sent.body), self.dialect.members_per_request);
            if changes > 0 {
                self.note("members-per-request", changes <= limit, || format!("{}: {changes} of {limit}", name()));
            }
        }
        if is_write(sent.method) {
            self.remember(sent.body);
        }
        let key = key(sent);
        if let Some(until) = self.waits.get(&key).copied() {
            let early = until.saturating_duration_since(sent.at);
            self.note("retry-after", early.as_millis() < 50, || format!("{}: {} ms early", name(), early.as_millis()));
            self.waits.remove(&key);
        } else if let Some((from, until)) = self.pause {
            let early = until.saturating_duration_since(sent.at).as_millis();
            if sent.at >= from {
                self.note("back-off", early < 50, || format!("{}: {early} ms early", name()));
                self.pause = self.pause.filter(|_| early > 0);
            }
        }
        let again = self.refused.contains(&key);
        if again || is_write(sent.method) {
            if again || !self.refused.is_empty() {
                self.note("repeat", !again, || format!("{} again, as it was refused", name()));
            }
            let id = sent.path.rsplit('/').next().unwrap_or_default().to_owned();
            if self.strangers.contains(&id) {
                self.note("verify-match", false, || format!("{}: the object is not what the filter asked for", name()));
            }
        }
        match sent.method {
            "POST" if sent.creates() => {
                let made = made(sent);
                if let Some(lost) = self.lost.remove(&made) {
                    self.note("lost-create", lost.looked, || format!("{made} again, without a look"));
                }
                if !self.strangers.is_empty() {
                    self.note("verify-match", true, String::new);
                }
            }
            "GET" | "POST" => {
                let endpoint = sent.path.trim_end_matches("/.search");
                let body = field(sent.body, "filter").and_then(Value::as_str).map(str::to_lowercase);
                let filter = parameter(sent.query, "filter").map(|text| text.to_lowercase()).or(body);
                let here = format!("{endpoint} ");
                for (_, lost) in self.lost.iter_mut().filter(|(made, _)| made.starts_with(&here)) {
                    // A look at somebody else tells nothing of this one.
                    let finds = |filter: &String| lost.names.iter().any(|name| filter.contains(name.as_str()));
                    lost.looked |= filter.as_ref().is_none_or(finds);
                }
            }
            _ => {}
        }
    }

    /// What the address tells, and the filter of a search.
    fn address(&mut self, sent: &Sent<'_>) {
        let name = |what: &str| format!("{} {}: {what}", sent.method, sent.path);
        let searches = sent.path.ends_with("/.search");
        let told = field(sent.body, "filter").and_then(Value::as_str).filter(|_| searches);
        if !sent.query.is_empty() {
            self.note("encoding", !sent.mended, || name("a quote or angle bracket as it is"));
        }
        let asked = parameter(sent.query, "filter");
        for filter in asked.as_deref().into_iter().chain(told).filter(|filter| filter.contains('"')) {
            let wrong = misquoted(filter, |text| self.texts.contains(text));
            self.note("filter-quoting", wrong.is_none(), || name(wrong.unwrap_or_default()));
        }
        let secret = secret(sent.query, told);
        if secret.is_some() || asked.is_some() || told.is_some() {
            self.note("password-in-url", secret.is_none(), || name(secret.as_deref().unwrap_or_default()));
        }
        if self.dialect.search && self.dialect.filter {
            let personal = personal(sent.path, sent.query);
            if personal.is_some() || searches {
                self.note("personal-in-url", personal.is_none(), || name(personal.as_deref().unwrap_or_default()));
            }
        }
        if let Some(cursor) = parameter(sent.query, "cursor").filter(|_| !self.stale.is_empty()) {
            let stale = self.stale.contains(&cursor);
            if stale || cursor.is_empty() {
                self.note("stale-cursor", !stale, || name("the cursor that was too old"));
            }
        }
    }

    /// Keeps the values with a backslash.
    fn remember(&mut self, body: &Value) {
        match body {
            Value::String(text) if text.contains('\\') && self.texts.len() < MOST_TEXTS => {
                self.texts.insert(text.clone());
            }
            Value::Array(list) => list.iter().for_each(|value| self.remember(value)),
            Value::Object(parts) => parts.values().for_each(|value| self.remember(value)),
            _ => {}
        }
    }

    /// What follows from the answer.
    pub fn answered(&mut self, sent: &Sent<'_>, got: &Got<'_>) {
        if let Some(wait) = got.wait {
            let now = Instant::now();
            self.waits.insert(key(sent), now + wait);
            self.pause = Some((now + ON_THE_WAY, now + wait)).filter(|(from, until)| from < until);
        }
        // The client has had the answer.
        let told = !matches!(got.fault, Fault::DropBefore | Fault::DropAfter | Fault::Cut);
        if told && is_refusal(sent.method, got.status) && got.fault != Fault::ExpiredToken {
            self.refused.insert(key(sent));
        } else if is_write(sent.method) && (200..300).contains(&got.status) {
            // What was refused may succeed now: a member that has come to be.
            self.refused.clear();
        }
        if got.fault == Fault::ExpiredCursor {
            self.stale.extend(parameter(sent.query, "cursor"));
        }
        // Whether it was done is not for the client to know. What the service refused cannot have been.
        let unsure = match got.fault {
            Fault::DropBefore => true,
            Fault::DropAfter | Fault::Cut | Fault::Torn | Fault::Html | Fault::Blank => got.status == 201,
            Fault::Status(500 | 502 | 504, _) | Fault::StatusUntil(500 | 502 | 504, _) => true,
            _ => false,
        };
        if unsure && sent.creates() {
            self.lost.insert(made(sent), lost(sent));
        }
        if got.fault.refusal(provost_model::Timestamp::UNIX_EPOCH).is_some() {
            return;
        }
        self.versions_of(sent, got);
        if matches!(got.fault, Fault::None | Fault::IgnoreFilter) && got.status == 200 && sent.method == "GET" {
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
            && !got.fault.changes_values()
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
        // Pages may overlap, so that a client sees whether they shifted.
        if self.open.get(sent.path).is_some_and(|(next, _)| start > 1 && start <= *next) {
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
    let version = sent.headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("{} {}?{} {version} {}", sent.method, sent.path, sent.query, sent.body)
}

/// Refusals that come again when the same is sent again; of reads only those that say that the request is wrong.
fn is_refusal(method: &str, status: u16) -> bool {
    match status {
        400 | 403 => true,
        404 | 405 | 409 | 412 | 413 | 415 | 422 | 501 => is_write(method),
        _ => false,
    }
}

impl Sent<'_> {
    pub fn creates(&self) -> bool {
        self.method == "POST" && !self.path.ends_with("/.search") && !self.path.starts_with("/Bulk")
    }
}

/// What a POST makes: its endpoint and what the object is called.
pub(crate) fn made(sent: &Sent<'_>) -> String {
    let name = ["userName", "displayName", "externalId"].iter().find_map(|name| sent.body.get(name)?.as_str());
    format!("{} {}", sent.path, name.unwrap_or_default())
}

/// What a create whose end nobody knows can be searched by.
pub(crate) fn lost(sent: &Sent<'_>) -> Lost {
    let one = |name: &&str| field(sent.body, name).cloned();
    let mut values: Vec<Value> = ["userName", "displayName", "externalId"].iter().filter_map(one).collect();
    let emails = field(sent.body, "emails").and_then(Value::as_array).into_iter().flatten();
    values.extend(emails.filter_map(|email| field(email, "value").cloned()));
    let names = values.iter().filter(|value| value.is_string()).map(|text| text.to_string().to_lowercase()).collect();
    Lost { names, looked: false }
}
