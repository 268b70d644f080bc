//! A day is compared with what it says about itself, row by row.

use std::collections::HashMap;

use jiff::Span;

use super::super::people::tests::{TODAY, read};
use super::super::people::{COLUMNS, write_people};
use super::*;

fn by_id(rows: Vec<Person>) -> HashMap<String, Person> {
    rows.into_iter().map(|person| (person.get(Column::EmployeeId).to_owned(), person)).collect()
}

#[test]
fn a_day_changes_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    for (people, days) in [(1, 30), (2, 30), (5, 40), (10, 40), (39, 30), (40, 40), (50, 40), (100, 40), (1_000, 10)] {
        write_people(&path, people, 3, TODAY).unwrap();
        let mut before = by_id(read(&path));
        for number in 1..=days {
            let works = |p: &&Person| matches!(p.get(Column::Status), "active" | "leave");
            let working = before.values().filter(works).count() as u64;
            let day = next_day(&path, 3).unwrap();
            let after = by_id(read(&path));
            assert_eq!(day.date, TODAY.checked_add(Span::new().days(number)).unwrap());

            let new = after.keys().filter(|id| !before.contains_key(*id)).count() as u64;
            let gone = before.keys().filter(|id| !after.contains_key(*id)).count() as u64;
            let status = |rows: &HashMap<String, Person>, id: &str| {
                rows.get(id).map_or("", |person| person.get(Column::Status)).to_owned()
            };
            let (mut started, mut left, mut moved) = (0, gone, 0);
            for (id, person) in &before {
                match (person.get(Column::Status), status(&after, id).as_str()) {
                    ("prospect", "active") => started += 1,
                    ("active" | "leave", "terminated") => left += 1,
                    (_, "") => {}
                    (was, is) => {
                        assert_eq!(was, is);
                        moved += u64::from(after.get(id) != Some(person));
                    }
                }
            }
            let told = (day.joiners.count, day.movers.count, day.leavers.count);
            assert_eq!(told, (new + started, moved, left), "{people} people, day {number}");
            assert!(gone <= 1);
            for (told, share) in [(new, 0.01), (moved, 0.02), (left, 0.01)] {
                let wanted = working as f64 * share;
                assert!((told as f64 - wanted).abs() <= 2.0, "{told} of {working} people, day {number}");
                assert!(working < 5 || told >= 1, "{told} of {working} people, day {number}");
            }
            assert!(working < 10 || left * 5 < working, "{left} of {working} leave");
            if working >= 60 {
                assert_eq!(gone, 1, "{people} people, day {number}");
            }
            for mover in &day.movers.first {
                for edit in &mover.changes {
                    let at = COLUMNS.iter().position(|name| *name == edit.field).unwrap();
                    assert_eq!(before[&mover.employee_id].0[at], edit.before);
                    assert_eq!(after[&mover.employee_id].0[at], edit.after);
                    assert_ne!(edit.before, edit.after);
                }
            }
            assert!(day.movers.first.len() <= LISTED);
            before = after;
        }
    }
}

#[test]
fn the_same_file_and_seed_give_the_same_day() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.csv", "b.csv"].map(|name| folder.path().join(name));
    let days = paths.each_ref().map(|path| {
        write_people(path, 1_000, 42, TODAY).unwrap();
        [next_day(path, 42).unwrap(), next_day(path, 42).unwrap()]
    });
    assert_eq!(days[0], days[1]);
    assert_ne!(days[0][0].leavers, days[0][1].leavers);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
}

#[test]
fn columns_of_others_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    write_people(&path, 50, 1, TODAY).unwrap();
    let wider: String = std::fs::read_to_string(&path).unwrap().lines().map(|line| format!("x,{line}\n")).collect();
    std::fs::write(&path, wider).unwrap();
    next_day(&path, 1).unwrap();
    let mut reader = csv::Reader::from_path(&path).unwrap();
    assert_eq!(reader.headers().unwrap().len(), 17);
    let fields: Vec<String> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
    assert_eq!(fields.iter().filter(|field| *field == "x").count(), 49);
    assert_eq!(fields.last().map(String::as_str), Some(""));
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.csv");
    std::fs::write(&path, "id,name\n1,Ada\n").unwrap();
    let error = next_day(&path, 1).unwrap_err();
    assert!(error.to_string().contains("has no column `employee_id`"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "id,name\n1,Ada\n");
}
