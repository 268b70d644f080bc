//! In which order the operations of a bulk request are done: that of the request, but for those that need the result of a
//! later POST, which wait for it. Where POSTs need one another the first is done without its references, and gets them
//! when all are there.

use std::collections::{BTreeMap, BTreeSet};

use provost_model::Text;

use super::{BulkRequest, PREFIX, references};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The operation at this place, all of whose references are known.
    Do(usize),
    /// The POST at this place without the references that are not known yet.
    DoWithout(usize),
    /// Give the resource that the POST at this place made the references it was made without.
    Link(usize),
}

impl Step {
    /// The place of the operation in the request.
    pub fn at(self) -> usize {
        match self {
            Step::Do(at) | Step::DoWithout(at) | Step::Link(at) => at,
        }
    }
}

/// The operations that are still to be done.
#[derive(Debug)]
pub struct Order {
    /// For each operation those that come before it: references, and others on the same resource.
    needs: Vec<BTreeSet<usize>>,
    left: BTreeSet<usize>,
    /// Done without references to these.
    links: BTreeMap<usize, BTreeSet<usize>>,
}

impl Order {
    /// All operations of a request.
    pub fn of(request: &BulkRequest) -> Self {
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, operation) in request.operations.iter().enumerate() {
            if let Some(id) = operation.bulk_id.as_deref().filter(|_| operation.is_post()) {
                made.entry(id).or_insert(at);
            }
        }
        let mut last: BTreeMap<(Text, Text), usize> = BTreeMap::new();
        let mut needs = Vec::with_capacity(request.operations.len());
        for (at, operation) in request.operations.iter().enumerate() {
            let mut before = BTreeSet::new();
            if let Ok(what) = &operation.what {
                let named = references(&what.data).into_iter();
                let named = named.chain(what.id.strip_prefix(PREFIX).map(Text::from));
                before.extend(named.filter_map(|id| made.get(id.as_str()).copied()));
                if !what.id.is_empty() {
                    before.extend(last.insert((what.endpoint.clone(), what.id.clone()), at));
                }
            }
            needs.push(before);
        }
        Self { left: (0..needs.len()).collect(), needs, links: BTreeMap::new() }
    }

    /// The next step; none when all is done.
    pub fn take(&mut self) -> Option<Step> {
        let open = |needed: &BTreeSet<usize>, left: &BTreeSet<usize>| needed.iter().any(|other| left.contains(other));
        if let Some(at) = self.links.iter().find(|(_, needed)| !open(needed, &self.left)).map(|(at, _)| *at) {
            self.links.remove(&at);
            return Some(Step::Link(at));
        }
        let ready = self.left.iter().copied().find(|at| {
            // One that needs itself can never be ready.
            !open(&self.needs[*at], &self.left)
        });
        if let Some(at) = ready {
            self.left.remove(&at);
            return Some(Step::Do(at));
        }
        let at = self.in_circle()?;
        self.left.remove(&at);
        let missing = self.needs[at].iter().copied().filter(|other| self.left.contains(other) || *other == at);
        self.links.insert(at, missing.filter(|other| *other != at).collect());
        Some(Step::DoWithout(at))
    }

    /// The first operation that, by way of others, needs itself. Those that merely wait for a circle are not in it.
    fn in_circle(&self) -> Option<usize> {
        let reaches_itself = |start: usize| {
            let (mut open, mut seen) = (vec![start], BTreeSet::new());
            while let Some(at) = open.pop() {
                for other in self.needs[at].iter().filter(|other| self.left.contains(other)) {
                    if *other == start {
                        return true;
                    }
                    if seen.insert(*other) {
                        open.push(*other);
                    }
                }
            }
            false
        };
        self.left.iter().copied().find(|at| reaches_itself(*at))
    }
}
