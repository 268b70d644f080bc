//! The conformance kit: what the connector contract promises, tried on a real peer.
//!
//! A [`Kit`] is one connection, a [`Sample`] of what may be made at its peer, and a [`Level`]. [`Kit::run`] plays every case
//! of `cases` that the connection's own capabilities ask for and answers with a [`Report`]: what passed, what failed and
//! why, and what did not apply and why. A case never trusts the connector's word about what it wrote: it reads back, over a
//! session of its own where the first one was broken on purpose.
//!
//! Faults come from a [`Proxy`] between the connector and its peer, which any protocol over TCP goes through; connectors
//! say where by [`Connector::rerouted`](provost_connector::Connector::rerouted). Cases have stable numbers; `docs/` lists
//! them.

mod cases;
mod ground;
mod kit;
mod proxy;
mod report;
mod sample;

pub use kit::{Kit, Level};
pub use proxy::{Conduct, Proxy};
pub use report::{CaseReport, Report, State};
pub use sample::{ClassSample, Many, Members, Sample};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::cases;

    #[test]
    fn the_page_lists_the_cases() {
        let page = include_str!("../../../docs/conformance.md");
        let told: BTreeSet<&str> =
            page.lines().filter(|line| line.starts_with("| ") && !line.contains("---")).skip(1).collect();
        let row = |case: &cases::Case| format!("| {} | {} | {} |", case.number, case.level.as_str(), case.title);
        let rows: BTreeSet<String> = cases::all().map(row).collect();
        assert_eq!(rows.iter().map(String::as_str).collect::<BTreeSet<_>>(), told);
        let numbers: BTreeSet<u16> = cases::all().map(|case| case.number).collect();
        assert_eq!(numbers.len(), cases::all().count(), "two cases have one number");
    }
}
