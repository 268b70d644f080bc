//! In which order the operations of a bulk request are done: that of the request, but for those that need the result of a
//! later POST, which wait for it. Where POSTs need one another the first is done without its references, and gets them
//! when all are there. All of it takes time in the number of operations and references: a request may hold a great many.

use std::collections::{BTreeMap, BTreeSet};

use provost_model::Text;

use super::BulkRequest;

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
    /// For each operation those that wait for it; the other way round of what it needs.
    needed_by: Vec<Vec<usize>>,
    /// For each operation how many of those that it needs are still to be done.
    open: Vec<usize>,
    /// To be done, and nothing is open.
    ready: BTreeSet<usize>,
    /// To be done, and in a circle of the request that waits for nothing outside of itself any more.
    circular: BTreeSet<usize>,
    /// For each operation its circle; one that is in none is alone.
    circle_of: Vec<usize>,
    circles: Vec<Circle>,
    /// Done without what was open then.
    linked: BTreeSet<usize>,
    /// Of those: nothing is open any more.
    links: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Circle {
    /// In the order of the request; empty for what is no circle, and once it has been begun.
    members: Vec<usize>,
    /// How many needs of its members are outside of it and still to be done.
    open: usize,
}

impl Order {
    /// All operations of a request.
    pub fn of(request: &BulkRequest) -> Self {
        let needs = needs(request);
        let mut needed_by = vec![Vec::new(); needs.len()];
        for (at, before) in needs.iter().enumerate() {
            for other in before {
                needed_by[*other].push(at);
            }
        }
        let open: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
        let ready = (0..open.len()).filter(|at| open[*at] == 0).collect();
        let (circle_of, mut circles) = circles(&needs, &needed_by);
        for (at, before) in needs.iter().enumerate() {
            circles[circle_of[at]].open += before.iter().filter(|other| circle_of[**other] != circle_of[at]).count();
        }
        let closed = circles.iter().filter(|circle| circle.open == 0);
        let circular = closed.flat_map(|circle| circle.members.iter().copied()).collect();
        let (linked, links) = (BTreeSet::new(), BTreeSet::new());
        Self { needed_by, open, ready, circular, circle_of, circles, linked, links }
    }

    /// The POSTs that need one another with the one at this place, when it is the first of them to be done; else nobody.
    /// Whatever they need besides one another has been done by then.
    pub fn begin_circle(&mut self, at: usize) -> Vec<usize> {
        std::mem::take(&mut self.circles[self.circle_of[at]].members)
    }

    /// The next step; none when all is done.
    pub fn take(&mut self) -> Option<Step> {
        if let Some(at) = self.links.pop_first() {
            return Some(Step::Link(at));
        }
        if let Some(at) = self.ready.pop_first() {
            self.circular.remove(&at);
            self.done(at);
            return Some(Step::Do(at));
        }
        // Whatever is left waits for a circle or is in one.
        let at = self.circular.pop_first()?;
        self.linked.insert(at);
        self.done(at);
        Some(Step::DoWithout(at))
    }

    fn done(&mut self, at: usize) {
        for waiting in &self.needed_by[at] {
            self.open[*waiting] -= 1;
            if self.open[*waiting] == 0 {
                let kind = if self.linked.contains(waiting) { &mut self.links } else { &mut self.ready };
                kind.insert(*waiting);
            }
            if self.circle_of[*waiting] != self.circle_of[at] {
                let circle = &mut self.circles[self.circle_of[*waiting]];
                circle.open -= 1;
                if circle.open == 0 {
                    self.circular.extend(&circle.members);
                }
            }
        }
    }
}

/// For each operation those that come before it: references, and others on the same resource.
fn needs(request: &BulkRequest) -> Vec<BTreeSet<usize>> {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, operation) in request.operations.iter().enumerate() {
        if let Some(id) = operation.bulk_id.as_deref().filter(|_| operation.is_post()) {
            made.entry(id).or_insert(at);
        }
    }
    let mut last: BTreeMap<(Text, Text), usize> = BTreeMap::new();
    let needs_of = |(at, operation): (usize, &super::BulkOperation)| {
        let mut before = BTreeSet::new();
        if let Ok(what) = &operation.what {
            before.extend(operation.references.iter().filter_map(|id| made.get(id.as_str()).copied()));
            if !what.id.is_empty() {
                before.extend(last.insert((what.endpoint.clone(), what.id.clone()), at));
            }
        }
        before
    };
    request.operations.iter().enumerate().map(needs_of).collect()
}

/// The circles, with the one of each operation: those that, by way of others, need themselves. Those that merely wait for a
/// circle are not in it. (Kosaraju: the strongly connected components, without recursion.)
fn circles(needs: &[BTreeSet<usize>], needed_by: &[Vec<usize>]) -> (Vec<usize>, Vec<Circle>) {
    let mut seen = vec![false; needs.len()];
    let mut finished = Vec::with_capacity(needs.len());
    for start in 0..needs.len() {
        let mut path = Vec::new();
        if !std::mem::replace(&mut seen[start], true) {
            path.push((start, needs[start].iter()));
        }
        while let Some((at, others)) = path.last_mut() {
            match others.next() {
                Some(other) if !std::mem::replace(&mut seen[*other], true) => path.push((*other, needs[*other].iter())),
                Some(_) => {}
                None => {
                    finished.push(*at);
                    path.pop();
                }
            }
        }
    }
    let (mut circle_of, mut circles) = (vec![0; needs.len()], Vec::new());
    for start in finished.into_iter().rev() {
        // `seen` is told back: what is false now has its component.
        let (mut open, mut component) = (vec![start], Vec::new());
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at], false) {
                component.push(at);
                open.extend(needed_by[at].iter().copied().filter(|other| seen[*other]));
            }
        }
        if component.is_empty() {
            continue;
        }
        for at in &component {
            circle_of[*at] = circles.len();
        }
        if component.len() == 1 && !needs[component[0]].contains(&component[0]) {
            component.clear();
        }
        component.sort_unstable();
        circles.push(Circle { members: component, open: 0 });
    }
    (circle_of, circles)
}
