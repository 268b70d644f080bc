//! Where a read of a class stands, and whether it proves that everybody was seen (checklist C8).
//!
//! Pages by number shift while a target is written to: whoever is deleted moves the others forward, and one of them passes
//! from a page not yet read onto one that was. A total tells nothing of that when somebody was created meanwhile. So each
//! page begins with the last object of the page before: while it begins with somebody who was seen, nobody can have passed,
//! whatever was created or deleted. A page that does not is not taken, and the walk goes back. That holds for lists that keep
//! their order; for others the ids seen have to be as many as the total besides, which may not have fallen. Targets whose
//! pages cannot overlap, and those with cursors, are believed by the total alone.

use std::collections::HashSet;

use provost_connector::End;
use provost_model::{Digest, Record, Text};
use provost_scim::client::Paging;

/// How often a walk goes back because objects moved.
const MOST_BACKS: u32 = 20;

/// How many empty pages with a cursor follow each other in a read that is still a read.
const MOST_EMPTY: u32 = 20;

/// What is asked for next.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Counted from 1.
    Index(u64),
    Cursor(Text),
    /// Everything comes in one answer.
    Whole,
    Ended,
}

/// A read of one class.
#[derive(Debug)]
pub struct Walk {
    place: Place,
    page_size: u64,
    /// Short digests of the ids seen: eight bytes an object, whatever its id.
    seen: HashSet<u64>,
    /// As the target told last.
    total: Option<u64>,
    /// The total was once larger than its page, so that it is not the page's length.
    believed: bool,
    /// The total was once less than before.
    fell: bool,
    pages: Pages,
    /// Objects that a walk from the front will meet once more: that these come again says nothing about the target.
    again: u64,
    /// Pages in a row with nobody on them.
    empty: u32,
}

/// What is known of a target's pages by number.
#[derive(Debug, Default)]
struct Pages {
    /// Where the page after the last one begins, were it not to overlap.
    next: u64,
    /// The same at its highest, from before the walk went back.
    furthest: u64,
    /// The page has to begin with somebody who was seen.
    overlaps: bool,
    /// This target's pages cannot overlap.
    apart: bool,
    /// The last object of the page before.
    last: Option<u64>,
    /// A page began with another one than the last of the page before.
    shifted: bool,
    /// Objects moved more often than there is patience for.
    moved: bool,
    backs: u32,
    /// Where the walk last went back, and whom it met there.
    met: Option<(u64, u64)>,
}

/// A page, after the walk has looked at it.
pub struct Taken {
    /// Those that were not there before.
    pub fresh: Vec<Record>,
    /// On the last page.
    pub end: Option<Ended>,
}

/// How a walk ended: why it proves nothing, if so.
#[derive(Debug)]
pub struct Ended(Option<String>);

impl Walk {
    pub fn new(paging: Paging, page_size: usize) -> Self {
        let place = match paging {
            Paging::Index => Place::Index(1),
            Paging::Cursor => Place::Cursor(Text::default()),
            Paging::None => Place::Whole,
        };
        Self {
            place,
            page_size: page_size as u64,
            seen: HashSet::new(),
            total: None,
            believed: false,
            fell: false,
            pages: Pages { next: 1, furthest: 1, ..Pages::default() },
            again: 0,
            empty: 0,
        }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How many ids were seen.
    pub fn count(&self) -> u64 {
        self.seen.len() as u64
    }

    /// From the front again, over what is known: the position was lost.
    pub fn restart(&mut self) {
        self.place = Place::Cursor(Text::default());
        (self.total, self.again) = (None, self.count());
    }

    /// Takes note of a page.
    pub fn take(&mut self, records: Vec<Record>, total: Option<u64>, next: Option<Text>) -> Taken {
        let received = records.len() as u64;
        if total.is_some() {
            self.fell |= total < self.total;
            self.believed |= total > Some(received);
            self.total = total;
        }
        if let Place::Index(start) = self.place
            && (received > 0 || next.is_none())
            && self.has_moved(start, &records)
        {
            return Taken { fresh: Vec::new(), end: None };
        }
        let last = records.last().map(hash);
        let fresh: Vec<Record> = records.into_iter().filter(|record| self.seen.insert(hash(record))).collect();
        let new = fresh.len() as u64;
        let end = match self.place.clone() {
            // Nobody here, and more elsewhere: a target with pages by number that gives a cursor all the same.
            Place::Index(_) if received == 0 && next.is_some() => {
                self.place = Place::Cursor(next.unwrap_or_default());
                None
            }
            Place::Index(start) => self.turn(start, received, new, last),
            Place::Cursor(cursor) => self.follow(cursor, received, new, next),
            Place::Whole | Place::Ended => Some(self.judge(next.is_some())),
        };
        if end.is_some() {
            self.place = Place::Ended;
        }
        self.again = self.again.saturating_sub(received - new);
        Taken { fresh, end }
    }

    /// Whether the page begins with somebody new where it should begin with somebody known: the walk goes back then.
    fn has_moved(&mut self, start: u64, records: &[Record]) -> bool {
        let pages = &mut self.pages;
        let first = records.first().map(hash);
        pages.shifted |= pages.overlaps && first != pages.last;
        if !pages.overlaps || pages.moved || first.is_some_and(|first| self.seen.contains(&first)) {
            return false;
        }
        let met = (start, first.unwrap_or_default());
        if pages.met.replace(met) == Some(met) {
            // The same once more: nobody moves here, the target only counts in a way of its own.
            (pages.apart, pages.overlaps) = (true, false);
            self.place = Place::Index(pages.next);
            return true;
        }
        pages.backs += 1;
        if pages.backs > MOST_BACKS {
            pages.moved = true;
            return false;
        }
        tracing::debug!(start, "objects moved between two pages, the read goes back");
        let back = start.saturating_sub(self.page_size).max(1);
        pages.overlaps = back > 1;
        self.place = Place::Index(back);
        true
    }

    /// Where pages by number go on, or how they ended.
    fn turn(&mut self, start: u64, received: u64, new: u64, last: Option<u64>) -> Option<Ended> {
        let pages = &mut self.pages;
        let after = start + received;
        let overlapped = pages.overlaps;
        let reached = self.believed && self.total.is_some_and(|total| after > total);
        if received == 0 || reached {
            return Some(self.judge(false));
        }
        if overlapped && new == 0 && start + 1 == pages.next && (received == 1 || after > pages.furthest) {
            // Nobody behind the last one; or a target that starts pages only where it likes. A page apart tells.
            pages.overlaps = false;
            self.place = Place::Index(pages.next);
            return None;
        }
        if !overlapped && start > 1 {
            if new == 0 {
                return Some(self.judge(true));
            }
            // Where the page that overlaps showed nobody, there was somebody.
            pages.apart = true;
        }
        (pages.next, pages.last) = (after, last);
        pages.furthest = pages.furthest.max(after);
        pages.overlaps = !pages.apart && received > 1;
        self.place = Place::Index(if pages.overlaps { after - 1 } else { after });
        None
    }

    /// Where a walk by cursors goes on, or how it ended.
    fn follow(&mut self, cursor: Text, received: u64, new: u64, next: Option<Text>) -> Option<Ended> {
        self.empty = if received == 0 { self.empty + 1 } else { 0 };
        match next {
            Some(next) if next == cursor || (received > 0 && new == 0 && self.again == 0) => Some(self.judge(true)),
            Some(_) if self.empty > MOST_EMPTY => {
                let why = format!("the target gave {} empty pages in a row, each with another cursor", self.empty);
                Some(Ended(Some(why)))
            }
            Some(next) => {
                self.place = Place::Cursor(next);
                None
            }
            None => Some(self.judge(false)),
        }
    }

    /// `doubtful`: the walk ended because the target repeated itself, or has more than it gives.
    fn judge(&self, doubtful: bool) -> Ended {
        let (count, pages) = (self.count(), &self.pages);
        let by_number = matches!(self.place, Place::Index(_));
        let overlapped = by_number && !pages.apart;
        let says = |total: u64| format!("the target says it has {total} objects of the class, and returned {count}");
        let passed = |what: &str| Some(format!("{what}, so that others may have been passed over"));
        let deleted = || passed("objects were deleted at the target during the read");
        Ended(match self.total {
            _ if pages.moved => passed("objects moved between the pages all the time"),
            Some(total) if count < total => Some(says(total)),
            // Whoever was deleted counts as seen, and may hide somebody who moved to a page that was read.
            Some(_) if self.fell && (self.believed || !overlapped) => deleted(),
            _ if overlapped && !self.believed && pages.shifted => {
                passed("objects moved between the pages, and the target does not say how many there are")
            }
            Some(total) if !overlapped && count != total => Some(says(total)),
            None if by_number && pages.apart => passed("the target's pages do not overlap, and it gives no total"),
            total if doubtful && total != Some(count) => {
                Some("the target repeats its pages and gives no total".to_owned())
            }
            _ => None,
        })
    }
}

impl Ended {
    /// The connector's word. `count`: objects given. `left_out`: ids that were listed and could not be read.
    pub fn word(self, count: u64, left_out: &[Text]) -> End {
        let unread = (!left_out.is_empty()).then(|| {
            let named: Vec<&str> = left_out.iter().take(5).map(Text::as_str).collect();
            let more = left_out.len() - named.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("objects were listed and could not be read: {}{more}", named.join(", "))
        });
        match self.0.or(unread) {
            Some(reason) => End::incomplete(count, reason),
            None => End::complete(count),
        }
    }
}

fn hash(record: &Record) -> u64 {
    Digest::of_bytes(record.id.as_bytes()).0 as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Numbers that look random.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % limit.max(1)
        }
    }

    struct Told {
        complete: bool,
        /// Of those who were there all the time.
        missed: bool,
        /// Objects kept their places among each other.
        in_order: bool,
    }

    /// One walk over a list that changes between its pages.
    fn walk(dice: &mut Dice) -> Told {
        let (cap, size) = (2 + dice.below(12), 2 + dice.below(12));
        let (busy, totals, moves) = (dice.below(3), dice.below(3), dice.below(3));
        let mut list: Vec<usize> = (0..dice.below(60)).collect();
        let mut always: BTreeSet<usize> = list.iter().copied().collect();
        let (mut walk, mut seen, mut made) = (Walk::new(Paging::Index, size), BTreeSet::new(), 1_000);
        for _ in 0..2_000 {
            let Place::Index(start) = *walk.place() else { unreachable!("pages by number") };
            let page: Vec<usize> = list.iter().skip(start as usize - 1).take(size.min(cap)).copied().collect();
            let total = [Some(list.len()), Some(page.len()), None][totals].map(|total| total as u64);
            let taken = walk.take(page.iter().map(|id| Record::new("User", id.to_string())).collect(), total, None);
            seen.extend(taken.fresh.iter().map(|record| record.id.parse::<usize>().unwrap()));
            if let Some(end) = taken.end {
                let missed = always.difference(&seen).next().is_some();
                return Told { complete: end.0.is_none(), missed, in_order: moves == 0 };
            }
            for _ in 0..dice.below(busy + 1) {
                match dice.below(3) {
                    0 if !list.is_empty() => {
                        always.remove(&list.remove(dice.below(list.len())));
                    }
                    1 => {
                        made += 1;
                        list.insert(dice.below(list.len() + 1), made);
                    }
                    // What is changed goes to the end of a heap, or to the front of a list by its time.
                    _ if moves > 0 && !list.is_empty() => {
                        let moved = list.remove(dice.below(list.len()));
                        list.insert(if moves == 1 { list.len() } else { 0 }, moved);
                    }
                    _ => {}
                }
            }
        }
        panic!("the walk never ends");
    }

    #[test]
    fn a_walk_that_calls_itself_complete_missed_nobody() {
        let seed = std::env::var("PROVOST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        let (mut complete, mut wrong, mut hidden) = (0, 0, 0);
        for at in 0..20_000 {
            let told = walk(&mut Dice(seed.wrapping_add(at).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            complete += u32::from(told.complete);
            wrong += u32::from(told.complete && told.missed && told.in_order);
            hidden += u32::from(told.complete && told.missed && !told.in_order);
        }
        assert!(complete > 5_000, "PROVOST_SEED={seed}: {complete}");
        assert_eq!(wrong, 0, "PROVOST_SEED={seed}, {complete} complete");
        // One who comes, one who goes and one who moves between the same two pages look like nothing at all.
        assert!(hidden < 20, "PROVOST_SEED={seed}: {hidden} of {complete}");
    }
}
