//! The first pass over the HR file: what is in it, and how many will join, move and leave.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use csv::StringRecord;
use jiff::Span;
use jiff::civil::Date;

use super::super::company::DEPARTMENTS;
use super::super::people::{COLUMNS, Column, Person, employee_id, row_of};
use super::super::random::{Dice, nth};

/// The file's columns by name.
pub(super) struct Table {
    width: usize,
    at: [usize; 16],
}

impl Table {
    pub(super) fn new(path: &Path, headers: &StringRecord) -> io::Result<Self> {
        let mut at = [0; 16];
        for (index, name) in COLUMNS.iter().enumerate() {
            at[index] = headers.iter().position(|header| header == *name).ok_or_else(|| {
                let message =
                    format!("{} has no column `{name}`; quickstart edits only a file that it wrote", path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
        }
        Ok(Self { width: headers.len(), at })
    }

    pub(super) fn get<'a>(&self, record: &'a StringRecord, column: Column) -> &'a str {
        record.get(self.at[column as usize]).unwrap_or_default()
    }

    pub(super) fn set(&self, record: &StringRecord, column: Column, value: &str) -> StringRecord {
        let at = self.at[column as usize];
        record.iter().enumerate().map(|(index, field)| if index == at { value } else { field }).collect()
    }

    /// Somebody new as a row; columns that are not ours stay empty.
    pub(super) fn row(&self, person: &Person) -> StringRecord {
        let mut fields = vec![""; self.width];
        for (value, at) in person.0.iter().zip(self.at) {
            fields[at] = value;
        }
        StringRecord::from(fields)
    }

    pub(super) fn person(&self, record: &StringRecord) -> Person {
        Person(self.at.map(|at| record.get(at).unwrap_or_default().to_owned()))
    }

    pub(super) fn works(&self, record: &StringRecord) -> bool {
        matches!(self.get(record, Column::Status), "active" | "leave")
    }

    /// Those whose going would tear the company apart: its head always, heads of departments unless it is tiny.
    pub(super) fn is_head(&self, record: &StringRecord) -> bool {
        self.get(record, Column::Title).starts_with("Head of ")
    }
}

/// Managers remembered per department; the first pass cannot know how many it will need.
const MANAGERS: usize = 64;
const CANDIDATES: usize = 32;

/// What the first pass finds out.
pub(super) struct Survey {
    pub date: Date,
    /// The row number that the next employee id is made of.
    pub next_row: u64,
    /// Rows that may move or leave.
    pub eligible: u64,
    pub spare_heads: bool,
    /// Rows to come into the file, to move, to leave; the last include `remove`.
    pub join: u64,
    pub movers: u64,
    pub leavers: u64,
    /// Working people by department, earliest rows first: who newcomers report to.
    pub managers: BTreeMap<String, Vec<u64>>,
    pub remove: Option<u64>,
}

impl Survey {
    pub(super) fn of(path: &Path, seed: u64) -> io::Result<Self> {
        let mut reader = csv::Reader::from_path(path)?;
        let table = Table::new(path, reader.headers()?)?;
        let (mut members, mut heads, mut next_row) = (0, 0, 0);
        let mut newest = Date::MIN;
        let mut managers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        // Leaves of the tree, by a hash. Managers stand in earlier rows, so a leaf is struck off when a report follows.
        let mut leaves: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            newest = newest.max(table.get(&record, Column::ChangedOn).parse().unwrap_or(Date::MIN));
            if let Some(manager) = row_of(table.get(&record, Column::ManagerId)) {
                leaves.remove(&(nth(seed, manager), manager));
            }
            let Some(row) = row_of(table.get(&record, Column::EmployeeId)) else { continue };
            next_row = next_row.max(row + 1);
            if row == 0 || !table.works(&record) {
                continue;
            }
            let department = table.get(&record, Column::Department);
            match managers.get_mut(department) {
                Some(known) if known.len() < MANAGERS => known.push(row),
                Some(_) => {}
                None if DEPARTMENTS.iter().any(|d| d.name == department) => {
                    managers.insert(department.to_owned(), vec![row]);
                }
                None => {}
            }
            if table.is_head(&record) {
                heads += 1;
            } else {
                members += 1;
                leaves.insert((nth(seed, row), row));
                if leaves.len() > CANDIDATES {
                    leaves.pop_last();
                }
            }
        }
        if newest == Date::MIN {
            let message = format!("{} holds no people that could join, move or leave", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }

        // Of those who work, so that a small company neither dies out nor grows without end.
        let people: u64 = 1 + members + heads;
        let spare_heads = people > 40;
        let eligible = members + if spare_heads { 0 } else { heads };
        let at_least_one = u64::from(people >= 5);
        let leavers = ((people + 50) / 100).max(at_least_one + u64::from(people >= 40)).min(eligible);
        let movers = ((people + 25) / 50).max(at_least_one).min(eligible - leavers);
        let per_department = (people / 400).clamp(1, MANAGERS as u64) as usize;
        managers.values_mut().for_each(|rows| rows.truncate(per_department));
        let is_leaf = |row: &u64| !managers.values().any(|rows| rows.contains(row));
        let remove = if leavers >= 2 { leaves.into_iter().map(|(_, row)| row).find(is_leaf) } else { None };
        Ok(Self {
            date: newest.saturating_add(Span::new().days(1)),
            next_row,
            eligible,
            spare_heads,
            join: leavers.max(1),
            movers,
            leavers,
            managers,
            remove,
        })
    }

    /// A manager of the department from a row before this one; the head of the company when there is none.
    pub(super) fn manager(&self, department: &str, before: u64, dice: &mut Dice) -> String {
        let known = self.managers.get(department).map_or(&[][..], Vec::as_slice);
        let earlier = &known[..known.partition_point(|row| *row < before)];
        employee_id(if earlier.is_empty() { 0 } else { *dice.pick(earlier) })
    }
}
