//! What the job remembers of its source: 16 bytes an object, so that a million unchanged rows cost a comparison each.
//!
//! A mark in the store is the 64-bit hash of the source id and 64 bits of the object's digest. All marks of a class are
//! loaded sorted by hash; hashes are uniform, so interpolation finds one in a few steps. The same table notes who was
//! seen, which is how absence is found after a read that was proven complete.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use provost_connector::KnownDigests;
use provost_model::{Digest, ObjectId};

/// The mark of an object under a digest, as the link keeps it: 32 hexadecimal digits.
pub fn mark(id: &str, digest: Digest) -> String {
    format!("{:016x}{:016x}", id_hash(id), short(digest))
}

/// The hash of a source id.
pub fn id_hash(id: &str) -> u64 {
    Digest::of_bytes(id.as_bytes()).0 as u64
}

fn short(digest: Digest) -> u64 {
    // Both halves, since a connector may put structure into one of them.
    (digest.0 >> 64) as u64 ^ digest.0 as u64
}

/// Marks of one bucket: two lines of the processor's cache.
const BUCKET: usize = 8;

/// The marks of one class, and which of them this read has seen.
#[derive(Debug, Default)]
pub struct Known {
    /// (id hash, digest), sorted by hash. A hash that two objects share is left out: both are evaluated each time.
    marks: Vec<(u64, u64)>,
    /// Where each bucket of marks begins: a search among a million would miss the processor's cache at each of its steps,
    /// and it is made for every row.
    starts: Vec<u32>,
    seen: Vec<AtomicU64>,
    /// Hashes of those who have to be looked at whatever their digest says.
    due: HashSet<u64>,
}

impl Known {
    /// Reads marks as the store concatenates them. Marks that are no 32 hexadecimal digits are skipped, which only means
    /// that their objects are looked at again.
    pub fn extend(marks: &mut Vec<(u64, u64)>, text: &str) {
        marks.extend(text.as_bytes().as_chunks::<32>().0.iter().filter_map(|mark| {
            let mark = std::str::from_utf8(mark).ok()?;
            Some((u64::from_str_radix(&mark[..16], 16).ok()?, u64::from_str_radix(&mark[16..], 16).ok()?))
        }));
    }

    /// `due` are ids that have to be looked at whatever their digest says: escrows whose time has come. They are known all the
    /// same, since who is known and not seen is gone.
    pub fn new<'i>(mut marks: Vec<(u64, u64)>, due: impl Iterator<Item = &'i ObjectId>) -> Self {
        let due: HashSet<u64> = due.map(|id| id_hash(id)).collect();
        marks.sort_unstable();
        let twice: HashSet<u64> =
            marks.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0).collect();
        if !twice.is_empty() {
            marks.retain(|(hash, _)| !twice.contains(hash));
        }
        marks.shrink_to_fit();
        let seen = (0..marks.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let starts = starts(&marks);
        Self { marks, starts, seen, due }
    }

    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Notes that the object is there; whether it was known.
    pub fn see(&self, hash: u64) -> bool {
        match self.position(hash) {
            Some(at) => {
                self.seen[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
                true
            }
            None => false,
        }
    }

    /// Whether the object was seen; `None` when it is not known.
    pub fn is_seen(&self, hash: u64) -> Option<bool> {
        self.position(hash).map(|at| self.seen[at / 64].load(Ordering::Relaxed) & (1 << (at % 64)) != 0)
    }

    /// Whether the object has to be looked at in any case.
    pub fn is_due(&self, hash: u64) -> bool {
        self.due.contains(&hash)
    }

    pub fn seen(&self) -> usize {
        self.seen.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    fn position(&self, hash: u64) -> Option<usize> {
        let bucket = bucket(hash, self.starts.len().checked_sub(1)?);
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let at = start + self.marks[start..end].iter().position(|(have, _)| *have == hash)?;
        Some(at)
    }
}

/// The hashes are uniform, so that equal shares of their range hold equally many.
fn bucket(hash: u64, buckets: usize) -> usize {
    ((u128::from(hash) * buckets as u128) >> 64) as usize
}

/// Where each bucket begins, and the end. Marks are sorted by hash.
fn starts(marks: &[(u64, u64)]) -> Vec<u32> {
    if marks.is_empty() {
        return Vec::new();
    }
    let buckets = marks.len().div_ceil(BUCKET);
    let mut starts = Vec::with_capacity(buckets + 1);
    for (at, (hash, _)) in marks.iter().enumerate() {
        while starts.len() <= bucket(*hash, buckets) {
            starts.push(at as u32);
        }
    }
    starts.resize(buckets + 1, marks.len() as u32);
    starts
}

impl KnownDigests for Known {
    /// Also notes that the object was seen, so that the scan needs one search per row and not two.
    fn is_unchanged(&self, id: &str, digest: Digest) -> bool {
        let hash = id_hash(id);
        let Some(at) = self.position(hash) else { return false };
        self.seen[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
        self.marks[at].1 == short(digest) && (self.due.is_empty() || !self.is_due(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_mark_and_nothing_else() {
        for size in [0usize, 1, 2, 3, 100, 5_000] {
            let ids: Vec<ObjectId> = (0..size).map(|n| ObjectId::from(format!("id-{n}"))).collect();
            let mut text = String::new();
            for id in &ids {
                text.push_str(&mark(id, Digest(7)));
            }
            let mut marks = Vec::new();
            Known::extend(&mut marks, &text);
            let known = Known::new(marks, std::iter::empty());
            assert_eq!(known.len(), size);
            for id in &ids {
                assert!(known.is_unchanged(id, Digest(7)), "{id} of {size}");
                assert!(!known.is_unchanged(id, Digest(8)), "{id} of {size}");
            }
            assert!(!known.is_unchanged("other", Digest(7)));
            assert_eq!(known.seen(), size);
        }
    }

    #[test]
    fn colliding_ids_are_unknown_and_those_due_are_looked_at() {
        let marks = vec![(5, 1), (5, 2), (9, 3)];
        let known = Known::new(marks, std::iter::empty());
        assert_eq!(known.len(), 1);
        let id = ObjectId::from("a");
        let known = Known::new(vec![(id_hash("a"), 1), (id_hash("b"), 1)], [&id].into_iter());
        assert_eq!((known.is_due(id_hash("a")), known.is_due(id_hash("b"))), (true, false));
        // Whoever is due and not seen is gone like anybody else.
        assert_eq!(known.is_seen(id_hash("a")), Some(false));
        let known = Known::new(vec![(id_hash("a"), short(Digest(7)))], [&id].into_iter());
        assert!(!known.is_unchanged("a", Digest(7)));
        assert_eq!(known.is_seen(id_hash("a")), Some(true));
    }
}
