//! People as a CSV file of 18 columns (about 200 bytes a row), and the mutator that changes exactly K of its rows.
//! Both stream: memory does not depend on the number of rows.

use std::{fs::File, io::BufWriter, path::Path};

use super::Person;
use crate::{error::Error, error::Result, random::choose};

pub const COLUMNS: [&str; 18] = [
    "employee_id",
    "login",
    "first_name",
    "last_name",
    "display_name",
    "mail",
    "phone",
    "mobile",
    "title",
    "department",
    "division",
    "company",
    "cost_center",
    "city",
    "country",
    "hire_date",
    "manager_id",
    "status",
];

const TITLE: usize = 8;

/// Writes `users` people of `seed`, with a header row.
pub fn write_people(path: &Path, seed: u64, users: u64) -> Result<()> {
    let file = File::create(path).map_err(Error::file("create", path))?;
    let mut out = csv::Writer::from_writer(BufWriter::with_capacity(1 << 18, file));
    out.write_record(COLUMNS).map_err(Error::csv("write people"))?;
    let mut row = csv::StringRecord::new();
    for index in 0..users {
        fill(&mut row, &Person::new(seed, index));
        out.write_record(&row).map_err(Error::csv("write people"))?;
    }
    out.flush().map_err(Error::file("write", path))
}

/// Copies `from` to `to` with exactly `count` of its `users` rows changed: the title gets ` (round)` appended, so that
/// no two rounds leave a row at the same value. Returns how many rows were changed.
pub fn mutate(from: &Path, to: &Path, users: u64, count: u64, round: u64) -> Result<u64> {
    let chosen = choose(round.wrapping_mul(0x51_7C_C1_B7), users, count);
    let mut reader = csv::Reader::from_path(from).map_err(Error::csv("read people"))?;
    let file = File::create(to).map_err(Error::file("create", to))?;
    let mut out = csv::Writer::from_writer(BufWriter::with_capacity(1 << 18, file));
    out.write_byte_record(reader.byte_headers().map_err(Error::csv("read people"))?)
        .map_err(Error::csv("write people"))?;
    let mut row = csv::ByteRecord::new();
    let (mut index, mut changed) = (0, 0);
    while reader.read_byte_record(&mut row).map_err(Error::csv("read people"))? {
        if chosen.contains(&index) {
            let mut fields: Vec<Vec<u8>> = row.iter().map(<[u8]>::to_vec).collect();
            if let Some(title) = fields.get_mut(TITLE) {
                title.extend_from_slice(format!(" ({round})").as_bytes());
                changed += 1;
            }
            out.write_record(&fields).map_err(Error::csv("write people"))?;
        } else {
            out.write_byte_record(&row).map_err(Error::csv("write people"))?;
        }
        index += 1;
    }
    out.flush().map_err(Error::file("write", to))?;
    Ok(changed)
}

/// The row of a person, in the order of [`COLUMNS`].
pub fn fill(row: &mut csv::StringRecord, p: &Person) {
    row.clear();
    row.push_field(&p.employee_id());
    let login = p.login();
    row.push_field(&login);
    row.push_field(p.first.text);
    row.push_field(p.last.text);
    row.push_field(&p.display_name());
    row.push_field(&format!("{login}@example.org"));
    row.push_field(&p.phone_text(0));
    row.push_field(&p.phone_text(1));
    row.push_field(&p.title());
    row.push_field(p.department.name);
    row.push_field(p.department.division);
    row.push_field("Example Group");
    row.push_field(p.department.cost_center);
    row.push_field(p.city.name);
    row.push_field(p.city.country);
    let (y, m, d) = p.hired;
    row.push_field(&format!("{y:04}-{m:02}-{d:02}"));
    row.push_field(&p.manager().map(|m| format!("E{m:07}")).unwrap_or_default());
    row.push_field(if p.on_leave { "leave" } else { "active" });
}

impl Person {
    #[must_use]
    pub fn employee_id(&self) -> String {
        format!("E{:07}", self.index)
    }

    /// Unique: the row number ends it, and no name holds a digit.
    #[must_use]
    pub fn login(&self) -> String {
        format!("{}.{}{}", self.first.ascii, self.last.ascii, self.index)
    }

    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{} {}", self.first.text, self.last.text)
    }

    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.grade, self.department.role)
    }

    /// Telephone number, `line` 0 (work) or 1 (mobile).
    #[must_use]
    pub fn phone_text(&self, line: u64) -> String {
        format!("{} {}", self.city.prefix, (self.phone() + line * 7_919) % 10_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(path: &Path) -> Vec<csv::StringRecord> {
        csv::Reader::from_path(path).unwrap().into_records().map(Result::unwrap).collect()
    }

    use std::result::Result;

    #[test]
    fn same_seed_same_file_and_logins_are_unique() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
        write_people(&a, 42, 2_000).unwrap();
        write_people(&b, 42, 2_000).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        let rows = rows(&a);
        assert_eq!(rows.len(), 2_000);
        assert!(rows.iter().all(|r| r.len() == 18));
        let logins: std::collections::HashSet<_> = rows.iter().map(|r| r[1].to_owned()).collect();
        assert_eq!(logins.len(), 2_000);
        assert!(rows.iter().any(|r| !r[2].is_ascii()), "some names are not ASCII");
    }

    #[test]
    fn mutator_changes_exactly_k_rows_each_round() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, c) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
        write_people(&a, 1, 500).unwrap();
        for (from, to, round) in [(&a, &b, 1), (&b, &c, 2)] {
            assert_eq!(mutate(from, to, 500, 17, round).unwrap(), 17);
            let differing = rows(from).iter().zip(&rows(to)).filter(|(x, y)| x != y).count();
            assert_eq!(differing, 17, "round {round}");
        }
    }
}
