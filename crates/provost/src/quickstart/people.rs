//! The HR file of the quickstart: invented people in sixteen columns, as an HR system would export them.
//!
//! Each row is computed from its number alone and written at once, so that a million people need no memory. `day` edits
//! the file afterwards; what the company looks like is in `company`.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Span;
use jiff::civil::Date;
use tempfile::NamedTempFile;

use super::company::{DEPARTMENTS, Department, EXECUTIVE, Layout, Leads, OFFICES};
use super::names;
use super::random::Dice;

/// The header, in the order of [`Column`].
pub const COLUMNS: [&str; 16] = [
    "employee_id",
    "login",
    "first_name",
    "last_name",
    "title",
    "department",
    "cost_center",
    "city",
    "country",
    "phone",
    "email_private",
    "manager_id",
    "hire_date",
    "end_date",
    "status",
    "changed_on",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    EmployeeId,
    Login,
    FirstName,
    LastName,
    Title,
    Department,
    CostCenter,
    City,
    Country,
    Phone,
    EmailPrivate,
    ManagerId,
    HireDate,
    EndDate,
    Status,
    ChangedOn,
}

impl Column {
    pub fn name(self) -> &'static str {
        COLUMNS[self as usize]
    }
}

/// One row, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person(pub(super) [String; 16]);

impl Person {
    pub fn get(&self, column: Column) -> &str {
        &self.0[column as usize]
    }

    /// First and last name.
    pub fn name(&self) -> String {
        format!("{} {}", self.get(Column::FirstName), self.get(Column::LastName))
    }

    pub(super) fn set(&mut self, column: Column, value: impl Into<String>) {
        self.0[column as usize] = value.into();
    }
}

/// One in so many rows has left, unless the draw falls on somebody who leads others.
const LEAVERS: u64 = 29;

/// What [`write_people`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub people: u64,
    /// People who left already: `terminated`, with an end date in the past.
    pub leavers: u64,
    /// People who start later: `prospect`, with a hire date in the future.
    pub prospects: u64,
    /// Departments, the executive office included.
    pub departments: u64,
}

/// Writes an HR file of `people` rows, replacing what is there. `today` is the day of the export.
pub fn write_people(path: &Path, people: u64, seed: u64, today: Date) -> io::Result<Summary> {
    let layout = Layout::new(people);
    let mut summary = Summary { people, leavers: 0, prospects: 0, departments: layout.departments() };
    replace(path, |out| {
        out.write_record(COLUMNS)?;
        for row in 0..people {
            let person = employ(&layout, people, seed, row, today);
            match person.get(Column::Status) {
                "terminated" => summary.leavers += 1,
                "prospect" => summary.prospects += 1,
                _ => {}
            }
            out.write_record(&person.0)?;
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Writes a file beside `path` and puts it in its place at once, so that a reader never sees half of it.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut csv::Writer<&mut NamedTempFile>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mut out = csv::WriterBuilder::new().buffer_capacity(1 << 17).from_writer(&mut file);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(file.path(), old.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}

/// The row of somebody who joins on `day`, below a manager who is given.
pub(super) fn join(seed: u64, row: u64, department: &Department, manager_id: &str, day: Date) -> Person {
    let mut dice = Dice::new(seed, row);
    let mut person = invent(row, &mut dice);
    person.set(Column::Title, *dice.pick(department.titles));
    person.set(Column::Department, department.name);
    person.set(Column::CostCenter, department.cost_center);
    person.set(Column::ManagerId, manager_id);
    person.set(Column::HireDate, day.to_string());
    person.set(Column::Status, "active");
    person.set(Column::ChangedOn, day.to_string());
    person
}

pub(super) fn employee_id(row: u64) -> String {
    format!("E{:06}", row + 1)
}

/// The row number behind an employee id of [`employee_id`].
pub(super) fn row_of(employee_id: &str) -> Option<u64> {
    employee_id.strip_prefix('E')?.parse::<u64>().ok()?.checked_sub(1)
}

fn employ(layout: &Layout, people: u64, seed: u64, row: u64, today: Date) -> Person {
    let mut dice = Dice::new(seed, row);
    let mut person = invent(row, &mut dice);
    let leads = layout.leads(row);
    let (department, cost_center) = layout.department(row).map_or(EXECUTIVE, |d| (d.name, d.cost_center));
    let titles = layout.department(row).map_or(DEPARTMENTS[0].titles, |d| d.titles);
    let title = match leads {
        Leads::Company => "Chief Executive Officer".to_owned(),
        Leads::Department => format!("Head of {department}"),
        Leads::Team => format!("Team Lead, {department}"),
        Leads::Nobody => (*dice.pick(titles)).to_owned(),
    };
    person.set(Column::Title, title);
    person.set(Column::Department, department);
    person.set(Column::CostCenter, cost_center);
    person.set(Column::ManagerId, layout.manager(row).map(employee_id).unwrap_or_default());

    // The last rows are those who start later; before them, people were hired in the order of their rows.
    let starts_later = leads == Leads::Nobody && row >= people - people / 50;
    let age = 40 + (people - row) * 7_000 / people + dice.below(120);
    let hired = if starts_later { after(today, 1 + dice.below(45)) } else { before(today, age) };
    let left = leads == Leads::Nobody && row % LEAVERS == Dice::new(!seed, row / LEAVERS).below(LEAVERS);
    let status = match dice.below(100) {
        _ if starts_later => "prospect",
        _ if left => "terminated",
        0..3 if leads != Leads::Company => "leave",
        _ => "active",
    };
    let ended = (status == "terminated").then(|| before(today, 1 + dice.below(400)).max(hired));
    let changed = match ended {
        _ if row == 0 => today,
        Some(ended) => ended,
        None if starts_later => before(today, dice.below(10)),
        None => before(today, dice.below(700)).max(hired),
    };
    person.set(Column::HireDate, hired.to_string());
    person.set(Column::EndDate, ended.map(|day| day.to_string()).unwrap_or_default());
    person.set(Column::Status, status);
    person.set(Column::ChangedOn, changed.to_string());
    person
}

/// What does not depend on somebody's place in the company.
fn invent(row: u64, dice: &mut Dice) -> Person {
    let mut person = Person::default();
    let (first, last, login) = names::person(row);
    let at = dice.below(OFFICES.len() as u64).min(dice.below(OFFICES.len() as u64));
    let (city, country, prefix) = OFFICES[at as usize];
    person.set(Column::EmployeeId, employee_id(row));
    person.set(Column::FirstName, first);
    person.set(Column::LastName, last);
    person.set(Column::City, city);
    person.set(Column::Country, country);
    person.set(Column::Phone, format!("{prefix} 555 {:04}", dice.below(10_000)));
    if dice.below(10) > 0 {
        let provider = dice.pick(&["home.example", "mail.example", "post.example"]);
        person.set(Column::EmailPrivate, format!("{login}@{provider}"));
    }
    person.set(Column::Login, login);
    person
}

fn after(day: Date, days: u64) -> Date {
    day.saturating_add(Span::new().days(i64::try_from(days).unwrap_or(0)))
}

fn before(day: Date, days: u64) -> Date {
    day.saturating_sub(Span::new().days(i64::try_from(days).unwrap_or(0)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    pub const TODAY: Date = jiff::civil::date(2026, 3, 2);

    /// The rows of a file, checked: rectangular, RFC 4180, ids and logins unique, managers there and without a circle.
    pub fn read(path: &Path) -> Vec<Person> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_path(path).unwrap();
        assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
        let rows: Vec<Person> = reader
            .records()
            .map(|record| Person(std::array::from_fn(|at| record.as_ref().unwrap()[at].to_owned())))
            .collect();
        let managers: HashMap<&str, &str> =
            rows.iter().map(|p| (p.get(Column::EmployeeId), p.get(Column::ManagerId))).collect();
        assert_eq!(managers.len(), rows.len(), "ids are unique");
        assert_eq!(rows.iter().map(|p| p.get(Column::Login)).collect::<HashSet<_>>().len(), rows.len());
        for person in &rows {
            assert!(person.get(Column::Login).is_ascii());
            let mut at = person.get(Column::EmployeeId);
            for step in 0.. {
                at = managers.get(at).unwrap_or_else(|| panic!("manager {at} exists"));
                if at.is_empty() {
                    break;
                }
                assert!(step < 20, "a circle above {person:?}");
            }
        }
        rows
    }

    #[test]
    fn the_same_arguments_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        let summary = write_people(&path, 1_000, 42, TODAY).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(provost_model::Digest::of_bytes(&bytes).to_string(), "07058668fec46a22a9f019709cc31f1f");
        assert_eq!(summary, write_people(&path, 1_000, 42, TODAY).unwrap());
        assert_eq!(bytes, fs::read(&path).unwrap());
        write_people(&path, 1_000, 43, TODAY).unwrap();
        assert_ne!(bytes, fs::read(&path).unwrap());
    }

    #[test]
    fn the_file_is_what_the_summary_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        for people in [0, 1, 2, 3, 5, 10, 49, 50, 1_000, 17_000] {
            let summary = write_people(&path, people, 7, TODAY).unwrap();
            let rows = read(&path);
            let with = |status| rows.iter().filter(|p| p.get(Column::Status) == status).count() as u64;
            let departments: HashSet<_> = rows.iter().map(|p| p.get(Column::Department)).collect();
            assert_eq!((rows.len() as u64, departments.len() as u64), (people, summary.departments));
            assert_eq!((with("terminated"), with("prospect")), (summary.leavers, summary.prospects));
            for person in &rows {
                let status = person.get(Column::Status);
                assert_eq!(status == "terminated", !person.get(Column::EndDate).is_empty());
                assert_eq!(status == "prospect", person.get(Column::HireDate) > TODAY.to_string().as_str());
            }
            if people >= 1_000 {
                let share = |count: u64| count as f64 / people as f64;
                assert!((0.02..0.04).contains(&share(summary.leavers)), "{summary:?}");
                assert!((0.015..0.025).contains(&share(summary.prospects)), "{summary:?}");
            }
        }
    }

    #[test]
    fn reading_it_takes_a_csv_parser() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        write_people(&path, 1_000, 42, TODAY).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for part in ["\"William \"\"Bill\"\"\"", "\"Smith, Jr.\"", "\"Washington, D.C.\"", "Nguyễn", "李", "O'Brien"]
        {
            assert!(text.contains(part), "{part}");
        }
    }
}
