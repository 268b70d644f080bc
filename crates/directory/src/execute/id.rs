//! New ids: UUIDs of version 7, in the order they were asked for, so that rows of one batch are neighbours on disk.

use provost_model::{ObjectId, Text};
use uuid::{Builder, Uuid};

/// Ids of one batch. Random once, then counted: asking the system for randomness per row costs more than the row's JSON.
pub(super) struct Ids {
    milliseconds: u64,
    head: [u8; 2],
    next: u64,
}

impl Ids {
    pub fn at(now_ms: i64) -> Self {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // Of the 62 bits behind the variant two stay free, so that counting never overflows.
        Self { milliseconds: now_ms.max(0) as u64, head: (high as u16).to_be_bytes(), next: low >> 4 }
    }

    pub fn next(&mut self) -> ObjectId {
        let mut bytes = [0; 10];
        bytes[..2].copy_from_slice(&self.head);
        bytes[2..].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        let id = Builder::from_unix_timestamp_millis(self.milliseconds, &bytes).into_uuid();
        ObjectId(Text::new(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_in_order() {
        let mut ids = Ids::at(1_700_000_000_000);
        let made: Vec<_> = (0..1_000).map(|_| ids.next()).collect();
        assert!(made.is_sorted_by(|one, other| one < other));
        let parsed: Uuid = made[0].parse().unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_ne!(made[0], Ids::at(1_700_000_000_000).next());
    }
}
