//! What went through the proxy: a count per method and path, and the last exchanges in full. Counts are kept per whole path,
//! so that a test may ask for any prefix afterwards; they grow with the number of different paths.

use std::collections::{BTreeMap, VecDeque};

use super::Fault;

/// How many exchanges are remembered.
const RECENT: usize = 1000;

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What the upstream, or the proxy in its place, answered. With [`Fault::DropAfter`] the client never saw it. None
    /// while under way, and when the upstream was never asked.
    pub status: Option<u16>,
    pub fault: Fault,
}

/// The counts of one proxy since its start or its last reset.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(String, String), u64>,
    recent: VecDeque<Exchange>,
    /// The number of exchanges that `recent` no longer has.
    forgotten: u64,
}

impl Tally {
    /// Notes a request; the ticket is for [`end`](Self::end).
    pub(super) fn begin(&mut self, method: &str, path: &str, target: &str, fault: Fault) -> u64 {
        *self.counts.entry((method.to_owned(), path.to_owned())).or_default() += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
            self.forgotten += 1;
        }
        let exchange = Exchange { method: method.to_owned(), target: target.to_owned(), status: None, fault };
        self.recent.push_back(exchange);
        self.forgotten + self.recent.len() as u64 - 1
    }

    /// Notes its status, if it is still remembered.
    pub(super) fn end(&mut self, ticket: u64, status: u16) {
        let place = ticket.checked_sub(self.forgotten).and_then(|place| usize::try_from(place).ok());
        if let Some(exchange) = place.and_then(|place| self.recent.get_mut(place)) {
            exchange.status = Some(status);
        }
    }

    /// Counts from nought again. Tickets of exchanges under way stay theirs.
    pub(super) fn reset(&mut self) {
        self.forgotten += self.recent.len() as u64;
        self.recent.clear();
        self.counts.clear();
    }

    /// See [`CountingProxy::count`](super::CountingProxy::count).
    pub fn count(&self, method: &str, prefix: &str) -> u64 {
        let matches = |(its, path): &(String, String)| (method.is_empty() || its == method) && path.starts_with(prefix);
        self.counts.iter().filter(|(key, _)| matches(key)).map(|(_, count)| count).sum()
    }

    /// See [`CountingProxy::writes`](super::CountingProxy::writes).
    pub fn writes(&self) -> u64 {
        self.counts.iter().filter(|((method, path), _)| is_write(method, path)).map(|(_, count)| count).sum()
    }

    pub fn recent(&self) -> Vec<Exchange> {
        self.recent.iter().cloned().collect()
    }
}

/// Whether a SCIM request may change something.
pub fn is_write(method: &str, path: &str) -> bool {
    let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
    !reads && (method != "POST" || !path.ends_with("/.search"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_method_and_prefix() {
        let mut tally = Tally::default();
        for (method, path) in [
            ("GET", "/v2/Users"),
            ("GET", "/v2/Users/1"),
            ("POST", "/v2/Users"),
            ("POST", "/v2/Users/.search"),
            ("PUT", "/v2/Groups/2"),
        ] {
            let ticket = tally.begin(method, path, path, Fault::None);
            tally.end(ticket, 200);
        }
        assert_eq!(tally.count("", ""), 5);
        assert_eq!(tally.count("GET", "/v2/Users"), 2);
        assert_eq!(tally.count("", "/v2/Groups"), 1);
        assert_eq!(tally.writes(), 2);
        assert!(tally.recent().iter().all(|exchange| exchange.status == Some(200)));
    }

    #[test]
    fn a_late_end_of_a_forgotten_exchange_is_harmless() {
        let mut tally = Tally::default();
        let first = tally.begin("GET", "/first", "/first", Fault::None);
        let last = (0..RECENT).map(|_| tally.begin("GET", "/next", "/next", Fault::None)).last().unwrap();
        tally.end(first, 500);
        tally.end(last, 201);
        let recent = tally.recent();
        assert_eq!((recent.len(), recent[0].status, recent[RECENT - 1].status), (RECENT, None, Some(201)));
        assert_eq!(tally.count("GET", ""), RECENT as u64 + 1);
    }
}
