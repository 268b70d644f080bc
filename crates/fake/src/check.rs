//! The list of what is looked at in a client. When each is good or bad is in `conduct`.

use serde::Serialize;

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
pub(crate) const CHECKS: [(&str, bool, &str); 18] = [
    ("lost-create", true, "looks for the object before it creates again when an answer was lost"),
    ("verify-match", true, "acts only on objects that match what it asked for"),
    ("filter-quoting", true, "escapes quotes and backslashes in filters"),
    ("repeat", true, "does not repeat unchanged what was refused"),
    ("retry-after", true, "waits as long as Retry-After says"),
    ("token-in-url", true, "keeps its token out of addresses"),
    ("password-in-url", true, "keeps passwords out of addresses and filters"),
    ("content-type", true, "says that its bodies are JSON"),
    ("back-off", false, "sends nothing else either while Retry-After lasts"),
    ("rate", false, "sends no more at once, and in a time, than the target bears"),
    ("members-per-request", false, "changes no more members in a request than the target takes"),
    ("personal-in-url", false, "keeps people's names out of addresses, as the target has .search"),
    ("encoding", false, "encodes addresses by the letter"),
    ("noop", false, "sends no change that changes nothing"),
    ("next-page", false, "reads lists to their last page"),
    ("accept", false, "says that it takes JSON"),
    ("user-agent", false, "says who it is"),
    ("stale-cursor", false, "begins a list again when its cursor is too old"),
];
