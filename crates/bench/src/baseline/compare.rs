//! The least that a source without change information costs: read a CSV again, hash each row, compare with the hashes of
//! the last reading in memory. The first reading is not part of the time.

use std::{collections::HashMap, path::Path, time::Instant};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::Report;
use crate::{
    error::{Error, Result},
    machine::cpu,
};

/// Reads `before`, then, on the clock, `after`; counts the rows of `after` that are new or differ.
pub fn compare(before: &Path, after: &Path) -> Result<Report> {
    let mut known: HashMap<Box<str>, u128> = HashMap::new();
    each(before, |key, hash| {
        known.insert(key.into(), hash);
    })?;
    let cpu_before = cpu::own();
    let start = Instant::now();
    let (mut rows, mut changed) = (0, 0);
    each(after, |key, hash| {
        rows += 1;
        changed += u64::from(known.get(key) != Some(&hash));
    })?;
    Ok(Report::new(rows, start.elapsed().as_secs_f64(), cpu::own().since(cpu_before).total, changed))
}

fn each(path: &Path, mut row: impl FnMut(&str, u128)) -> Result<()> {
    let mut reader =
        csv::ReaderBuilder::new().buffer_capacity(1 << 18).from_path(path).map_err(Error::csv("read people"))?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(Error::csv("read people"))? {
        // The bytes of all fields run together; their lengths make the seed, so that "ab","c" differs from "a","bc".
        let lengths = record
            .iter()
            .fold(0_u64, |seed, field| seed.wrapping_mul(1_099_511_628_211).wrapping_add(field.len() as u64));
        row(record.get(0).unwrap_or(""), xxh3_128_with_seed(record.as_byte_record().as_slice(), lengths));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_exactly_the_changed_rows() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
        crate::people::write_people(&a, 1, 3_000).unwrap();
        crate::people::mutate(&a, &b, 3_000, 25, 1).unwrap();
        assert_eq!(compare(&a, &a).unwrap().changed, 0);
        let report = compare(&a, &b).unwrap();
        assert_eq!((report.rows, report.changed), (3_000, 25));
    }
}
