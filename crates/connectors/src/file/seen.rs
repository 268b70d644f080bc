//! The keys of a scan so far, so that a second row with the same key is found: a 64-bit hash and a line per row.
//!
//! An open-addressing table of its own because of memory: 12 bytes a slot at 70 to 87 % load make 14 to 17 bytes a row,
//! where a hash map needs 20 to 40. Slots are ordered by hash, so growing is one sequential pass. Two different keys with
//! one hash would be taken for the same: once in 40,000 files of a million rows.

pub(super) struct Seen {
    /// The hash's upper and lower half and the line, together in one cache line. A hash of 0 is a free slot.
    slots: Vec<[u32; 3]>,
    len: usize,
}

const FREE: [u32; 3] = [0; 3];

impl Seen {
    pub fn new() -> Self {
        Self { slots: vec![FREE; 1024], len: 0 }
    }

    /// The line of the first row with this key, if there was one; otherwise this one is remembered.
    pub fn insert(&mut self, hash: u64, line: u64) -> Option<u64> {
        let hash = hash.max(1);
        if (self.len + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        let (upper, lower) = ((hash >> 32) as u32, hash as u32);
        let size = self.slots.len();
        let mut at = home(hash, size);
        loop {
            match self.slots[at] {
                [0, 0, _] => break,
                [up, low, line] if (up, low) == (upper, lower) => return Some(u64::from(line)),
                _ => at = if at + 1 == size { 0 } else { at + 1 },
            }
        }
        self.slots[at] = [upper, lower, u32::try_from(line).unwrap_or(u32::MAX)];
        self.len += 1;
        None
    }

    fn grow(&mut self) {
        let size = self.slots.len() + self.slots.len() / 4;
        let old = std::mem::replace(&mut self.slots, vec![FREE; size]);
        for slot in old {
            let hash = u64::from(slot[0]) << 32 | u64::from(slot[1]);
            if hash == 0 {
                continue;
            }
            let mut at = home(hash, size);
            while self.slots[at] != FREE {
                at = if at + 1 == size { 0 } else { at + 1 };
            }
            self.slots[at] = slot;
        }
    }
}

/// The hash scaled to the table's size, which need not be a power of two.
fn home(hash: u64, size: usize) -> usize {
    ((u128::from(hash) * size as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_key_again_at_its_first_line() {
        let mut seen = Seen::new();
        let hash = |n: u64| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes());
        for n in 0..50_000 {
            assert_eq!(seen.insert(hash(n), n + 2), None, "{n}");
        }
        for n in 0..50_000 {
            assert_eq!(seen.insert(hash(n), 9), Some(n + 2), "{n}");
        }
        assert!(seen.slots.len() * 12 < 50_000 * 18);
        assert_eq!((seen.insert(0, 5), seen.insert(0, 6)), (None, Some(5)));
        assert_eq!((seen.insert(u64::MAX, 5), seen.insert(u64::MAX, 6)), (None, Some(5)));
    }
}
