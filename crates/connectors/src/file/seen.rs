//! The keys of a scan so far, so that a second row with the same key is found: a 64-bit hash and a line per row.
//!
//! An open-addressing table of its own because of memory: 12 bytes a slot at 70 to 87 % load make 14 to 17 bytes a row,
//! where a hash map needs 20 to 40. Slots are ordered by hash, so growing is one sequential pass. Two different keys with
//! one hash would be taken for the same: once in 40,000 files of a million rows.

pub(super) struct Seen {
    /// 0 is a free slot.
    hashes: Vec<u64>,
    lines: Vec<u32>,
    len: usize,
}

impl Seen {
    pub fn new() -> Self {
        Self { hashes: vec![0; 1024], lines: vec![0; 1024], len: 0 }
    }

    /// The line of the first row with this key, if there was one; otherwise this one is remembered.
    pub fn insert(&mut self, hash: u64, line: u64) -> Option<u64> {
        let hash = hash.max(1);
        if (self.len + 1) * 8 > self.hashes.len() * 7 {
            self.grow();
        }
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let mut at = home(hash, self.hashes.len());
        loop {
            match self.hashes[at] {
                0 => break,
                have if have == hash => return Some(u64::from(self.lines[at])),
                _ => at = if at + 1 == self.hashes.len() { 0 } else { at + 1 },
            }
        }
        self.hashes[at] = hash;
        self.lines[at] = line;
        self.len += 1;
        None
    }

    fn grow(&mut self) {
        let size = self.hashes.len() + self.hashes.len() / 4;
        let hashes = std::mem::replace(&mut self.hashes, vec![0; size]);
        let lines = std::mem::replace(&mut self.lines, vec![0; size]);
        for (hash, line) in hashes.into_iter().zip(lines).filter(|(hash, _)| *hash != 0) {
            let mut at = home(hash, size);
            while self.hashes[at] != 0 {
                at = if at + 1 == size { 0 } else { at + 1 };
            }
            self.hashes[at] = hash;
            self.lines[at] = line;
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
        assert!(seen.hashes.len() * 12 < 50_000 * 18);
        assert_eq!((seen.insert(0, 5), seen.insert(0, 6)), (None, Some(5)));
        assert_eq!((seen.insert(u64::MAX, 5), seen.insert(u64::MAX, 6)), (None, Some(5)));
    }
}
