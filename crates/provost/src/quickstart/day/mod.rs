//! The HR file one day later: people join, move and leave.
//!
//! Two passes over the file, both streaming: the first (`survey`) counts and finds managers for the newcomers, the second copies the
//! rows with exactly the changes that were decided on and then takes the file's place. Columns are found by name, so a
//! file that somebody has edited, or given more columns, still works.

mod survey;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use csv::StringRecord;
use jiff::civil::Date;

use self::survey::{Survey, Table};
use super::company::{DEPARTMENTS, Layout};
use super::names::LAST;
use super::people::{Column, Person, join, replace, row_of};
use super::random::Dice;

/// What changed. Each list holds at most the first [`LISTED`] of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub date: Date,
    /// New rows, and prospects who start today.
    pub joiners: Listed<Person>,
    pub movers: Listed<Mover>,
    pub leavers: Listed<Leaver>,
}

pub const LISTED: usize = 20;

/// How many there are, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    pub count: u64,
    pub first: Vec<T>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    pub employee_id: String,
    pub changes: Vec<Edit>,
}

/// One field of a row, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub field: &'static str,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    pub employee_id: String,
    /// The row is gone altogether; the others stay as `terminated`.
    pub removed: bool,
}

impl<T> Listed<T> {
    fn new() -> Self {
        Self { count: 0, first: Vec::new() }
    }

    fn push(&mut self, item: T) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(item);
        }
    }
}

/// Moves the file on by a day: about 1 % join, 2 % move, 1 % leave; from five people up at least one of each.
///
/// The day is the one after the newest `changed_on` of the file. One leaver's row disappears, when there are two leavers
/// or more; nobody reports to that person.
pub fn next_day(path: &Path, seed: u64) -> io::Result<Day> {
    let survey = Survey::of(path, seed)?;
    let mut day = Day { date: survey.date, joiners: Listed::new(), movers: Listed::new(), leavers: Listed::new() };
    replace(path, |out| {
        let dice = Dice::new(seed, survey.next_row);
        Editor { survey: &survey, seed, dice, day: &mut day }.run(path, out)
    })?;
    Ok(day)
}

/// The second pass.
struct Editor<'a> {
    survey: &'a Survey,
    seed: u64,
    dice: Dice,
    day: &'a mut Day,
}

impl Editor<'_> {
    fn run<W: io::Write>(&mut self, path: &Path, out: &mut csv::Writer<W>) -> io::Result<()> {
        let survey = self.survey;
        let mut reader = csv::Reader::from_path(path)?;
        let table = Table::new(path, reader.headers()?)?;
        out.write_record(reader.headers()?)?;
        // Each eligible row in turn is drawn with the chance that makes the numbers come out exactly.
        let mut left = survey.eligible - u64::from(survey.remove.is_some());
        let mut leavers = survey.leavers - u64::from(survey.remove.is_some());
        let mut movers = survey.movers;
        let mut record = StringRecord::new();
        while reader.read_record(&mut record)? {
            let row = row_of(table.get(&record, Column::EmployeeId));
            if row.is_some() && row == survey.remove {
                self.leave(&table, &record, true);
                continue;
            }
            let heads_stay = survey.spare_heads && table.is_head(&record);
            let eligible = row.is_some_and(|row| row > 0) && table.works(&record) && !heads_stay;
            if !eligible {
                match self.start(&table, &record) {
                    Some(changed) => out.write_record(&changed)?,
                    None => out.write_record(&record)?,
                }
                continue;
            }
            let drawn = self.dice.below(left);
            left -= 1;
            if drawn < leavers {
                leavers -= 1;
                out.write_record(&self.leave(&table, &record, false))?;
            } else if drawn < leavers + movers {
                movers -= 1;
                out.write_record(&self.shift(&table, &record, row.unwrap_or_default()))?;
            } else {
                out.write_record(&record)?;
            }
        }
        for number in 0..survey.join {
            let row = survey.next_row + number;
            let person = self.newcomer(row);
            out.write_record(&table.row(&person))?;
            self.day.joiners.push(person);
        }
        Ok(())
    }

    fn leave(&mut self, table: &Table, record: &StringRecord, removed: bool) -> StringRecord {
        let employee_id = table.get(record, Column::EmployeeId).to_owned();
        self.day.leavers.push(Leaver { employee_id, removed });
        let today = self.survey.date.to_string();
        let record = table.set(record, Column::Status, "terminated");
        let record = table.set(&record, Column::EndDate, &today);
        table.set(&record, Column::ChangedOn, &today)
    }

    /// A prospect whose first day has come.
    fn start(&mut self, table: &Table, record: &StringRecord) -> Option<StringRecord> {
        let hired: Date = table.get(record, Column::HireDate).parse().ok()?;
        if table.get(record, Column::Status) != "prospect" || hired > self.survey.date {
            return None;
        }
        let record = table.set(record, Column::Status, "active");
        let record = table.set(&record, Column::ChangedOn, &self.survey.date.to_string());
        self.day.joiners.push(table.person(&record));
        Some(record)
    }

    /// A new title, department, manager, or last name.
    fn shift(&mut self, table: &Table, record: &StringRecord, row: u64) -> StringRecord {
        let get = |column| table.get(record, column);
        let here = DEPARTMENTS.iter().find(|d| d.name == get(Column::Department));
        let is_head = table.is_head(record);
        let mut new: Vec<(Column, String)> = match (self.dice.below(20), here) {
            (0..8, Some(here)) if !is_head => vec![(Column::Title, self.other(here.titles, get(Column::Title)))],
            (8..13, Some(here)) if !is_head && self.survey.managers.len() > 1 => {
                let there = self.department(here.name);
                let there = DEPARTMENTS.iter().find(|d| d.name == there).unwrap_or(here);
                vec![
                    (Column::Department, there.name.to_owned()),
                    (Column::CostCenter, there.cost_center.to_owned()),
                    (Column::Title, self.other(there.titles, get(Column::Title))),
                    (Column::ManagerId, self.survey.manager(there.name, row, &mut self.dice)),
                ]
            }
            (13..17, Some(here)) if !is_head => {
                vec![(Column::ManagerId, self.survey.manager(here.name, row, &mut self.dice))]
            }
            _ => Vec::new(),
        };
        new.retain(|(column, after)| get(*column) != after);
        if new.is_empty() {
            new.push((Column::LastName, self.other(&LAST, get(Column::LastName))));
        }
        let mut moved = table.set(record, Column::ChangedOn, &self.survey.date.to_string());
        let mut changes = Vec::with_capacity(new.len());
        for (column, after) in new {
            moved = table.set(&moved, column, &after);
            changes.push(Edit { field: column.name(), before: get(column).to_owned(), after });
        }
        self.day.movers.push(Mover { employee_id: get(Column::EmployeeId).to_owned(), changes });
        moved
    }

    /// One of the choices that is another than now.
    fn other(&mut self, choices: &[&str], now: &str) -> String {
        let at = self.dice.below(choices.len() as u64) as usize;
        let choice = if choices[at] == now { choices[(at + 1) % choices.len()] } else { choices[at] };
        choice.to_owned()
    }

    /// A department with people in it, other than this one.
    fn department(&mut self, now: &str) -> String {
        let known: Vec<&str> = self.survey.managers.keys().map(String::as_str).collect();
        self.other(&known, now)
    }

    fn newcomer(&mut self, row: u64) -> Person {
        let grown = Layout::new(row).department(row).filter(|d| self.survey.managers.contains_key(d.name));
        let department = grown.unwrap_or(&DEPARTMENTS[0]);
        let manager = self.survey.manager(department.name, row, &mut self.dice);
        join(self.seed, row, department, &manager, self.survey.date)
    }
}
