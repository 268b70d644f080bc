//! Where a read of a class stands, and whether it proves that everybody was seen (checklist C8).
//!
//! Pages by number shift while a target is written to: whoever is deleted moves the others forward, and one of them passes
//! from a page not yet read onto one that was. A total tells nothing of that when somebody was created meanwhile. So each
//! page begins with the last object of the page before: while it begins with somebody who was seen, nobody can have passed,
//! whatever was created or deleted. A page that does not is not taken, and the walk goes back. Targets whose pages cannot
//! overlap, and those with cursors, are believed when the ids seen are as many as the total, which never fell.

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
            && self.has_moved(start, &records)
        {
            return Taken { fresh: Vec::new(), end: None };
        }
        let fresh: Vec<Record> = records.into_iter().filter(|record| self.seen.insert(hash(record))).collect();
        let new = fresh.len() as u64;
        let end = match self.place.clone() {
            Place::Index(start) => self.turn(start, received, new),
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
    fn turn(&mut self, start: u64, received: u64, new: u64) -> Option<Ended> {
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
        pages.next = after;
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
        let count = self.count();
        let overlapped = matches!(self.place, Place::Index(_)) && !self.pages.apart;
        let says = |total: u64| format!("the target says it has {total} objects of the class, and returned {count}");
        Ended(match self.total {
            _ if self.pages.moved => Some(
                "objects moved between the pages all the time, so that others may have been passed over".to_owned(),
            ),
            Some(total) if count < total => Some(says(total)),
            Some(total) if !overlapped && count != total => Some(says(total)),
            Some(_) if !overlapped && self.fell => Some(
                "objects were deleted at the target during the read, so that others may have been passed over"
                    .to_owned(),
            ),
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
