//! The people that every scenario is about: person `i` of a seed is always the same, computed from its number alone,
//! so that CSV rows and SCIM users of a million people need no memory. Only for benchmarks: the product's quickstart has
//! its own. `names` holds the raw material, `file` writes and changes CSV, `user` writes the SCIM user.

pub mod file;
mod names;
pub mod user;

pub use file::{COLUMNS, mutate, write_people};

use crate::random::nth;
use names::{CITIES, City, DEPARTMENTS, Department, FIRST, GRADES, LAST, Name};

/// One person, as cheap to make as possible: all text is borrowed from tables until it is written somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Number of the row, from 0.
    pub index: u64,
    pub first: &'static Name,
    pub last: &'static Name,
    pub department: &'static Department,
    pub grade: &'static str,
    pub city: &'static City,
    /// (year, month, day)
    pub hired: (u32, u32, u32),
    pub on_leave: bool,
    extra: u64,
}

impl Person {
    /// Person number `index` of `seed`.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let a = nth(seed, index * 2);
        let b = nth(seed, index * 2 + 1);
        let pick = |bits: u64, len: usize| (bits & 0xFFFF) as usize % len;
        Self {
            index,
            first: &FIRST[pick(a, FIRST.len())],
            last: &LAST[pick(a >> 16, LAST.len())],
            department: &DEPARTMENTS[pick(a >> 32, DEPARTMENTS.len())],
            grade: GRADES[pick(a >> 48, GRADES.len())],
            city: &CITIES[pick(b, CITIES.len())],
            hired: (1998 + (b >> 16) as u32 % 27, 1 + (b >> 24) as u32 % 12, 1 + (b >> 32) as u32 % 28),
            on_leave: (b >> 40).is_multiple_of(33),
            extra: b,
        }
    }

    /// Number of the manager: a tree, eight reports each. None for the first.
    #[must_use]
    pub fn manager(&self) -> Option<u64> {
        (self.index > 0).then(|| (self.index - 1) / 8)
    }

    /// Seven digits of a telephone number.
    #[must_use]
    pub fn phone(&self) -> u64 {
        1_000_000 + self.extra % 8_999_999
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_the_same_each_time_and_differs_by_seed() {
        let line = |seed, i| user::json_of(&Person::new(seed, i));
        assert_eq!(line(1, 12_345), line(1, 12_345));
        assert_ne!(line(1, 12_345), line(2, 12_345));
    }

    #[test]
    fn manager_comes_before_the_report() {
        assert_eq!(Person::new(1, 0).manager(), None);
        for i in 1..1_000 {
            assert!(Person::new(1, i).manager().is_some_and(|m| m < i));
        }
    }
}
