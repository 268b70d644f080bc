//! Rows of (24-byte key, about 600 bytes of JSON, 32-byte hash) into SQLite: WAL, sync NORMAL, some thousand a
//! transaction, one prepared statement, one thread. With `people`, the rows come out of a CSV instead of a formula, so
//! that the same file is read that the engine reads.

use std::{fmt::Write, path::Path, time::Instant};

use rusqlite::{Connection, params};
use xxhash_rust::xxh3::xxh3_128;

use super::Report;
use crate::{
    error::{Error, Result},
    machine::cpu,
    people::Person,
};

/// Inserts `rows` rows into a new database at `path`, `batch` a transaction.
pub fn insert(path: &Path, rows: u64, batch: u64, people: Option<&Path>) -> Result<Report> {
    let mut database = Connection::open(path).map_err(Error::sqlite("open database"))?;
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;
             CREATE TABLE object (key TEXT PRIMARY KEY, body TEXT NOT NULL, hash BLOB NOT NULL);",
        )
        .map_err(Error::sqlite("create table"))?;
    let cpu_before = cpu::own();
    let start = Instant::now();
    let mut source = Source::new(people, rows)?;
    let mut done = 0;
    let mut more = true;
    while more {
        let transaction = database.transaction().map_err(Error::sqlite("begin"))?;
        let mut statement = transaction
            .prepare("INSERT INTO object (key, body, hash) VALUES (?1, ?2, ?3)")
            .map_err(Error::sqlite("prepare insert"))?;
        for _ in 0..batch {
            more = source.next()?;
            if !more {
                break;
            }
            let digest = xxh3_128(source.body.as_bytes()).to_be_bytes();
            let mut hash = [0_u8; 32];
            hash[..16].copy_from_slice(&digest);
            hash[16..].copy_from_slice(&digest);
            statement.execute(params![source.key, source.body, hash.as_slice()]).map_err(Error::sqlite("insert"))?;
            done += 1;
        }
        drop(statement);
        transaction.commit().map_err(Error::sqlite("commit"))?;
    }
    Ok(Report::new(done, start.elapsed().as_secs_f64(), cpu::own().since(cpu_before).total, 0))
}

/// Key and body of one row after the other, in buffers that are used again.
struct Source {
    key: String,
    body: String,
    index: u64,
    rows: u64,
    csv: Option<(csv::Reader<std::fs::File>, csv::StringRecord, csv::StringRecord)>,
}

impl Source {
    fn new(people: Option<&Path>, rows: u64) -> Result<Self> {
        let csv = match people {
            None => None,
            Some(path) => {
                let mut reader = csv::Reader::from_path(path).map_err(Error::csv("read people"))?;
                let headers = reader.headers().map_err(Error::csv("read people"))?.clone();
                Some((reader, headers, csv::StringRecord::new()))
            }
        };
        Ok(Self { key: String::new(), body: String::new(), index: 0, rows, csv })
    }

    fn next(&mut self) -> Result<bool> {
        self.key.clear();
        self.body.clear();
        let Some((reader, headers, record)) = &mut self.csv else {
            if self.index == self.rows {
                return Ok(false);
            }
            // Formatting into a string cannot fail.
            write!(self.key, "person-{:017}", self.index).ok();
            let mut user = crate::people::user::json_of(&Person::new(1, self.index));
            user.truncate(user.floor_char_boundary(600));
            self.body = user;
            self.index += 1;
            return Ok(true);
        };
        if !reader.read_record(record).map_err(Error::csv("read people"))? {
            return Ok(false);
        }
        write!(self.key, "person-{:0>17}", &record[0]).ok();
        self.body.push('{');
        for (n, (name, value)) in headers.iter().zip(record.iter()).enumerate() {
            let text = serde_json::to_string(value).map_err(Error::json("write row"))?;
            write!(self.body, "{}\"{name}\":{text}", if n > 0 { "," } else { "" }).ok();
        }
        self.body.push('}');
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserts_every_row_from_formula_and_from_csv() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("people.csv");
        crate::people::write_people(&csv, 1, 2_500).unwrap();
        for (name, people) in [("a.db", None), ("b.db", Some(csv.as_path()))] {
            let path = folder.path().join(name);
            assert_eq!(insert(&path, 2_500, 1_000, people).unwrap().rows, 2_500);
            let database = Connection::open(&path).unwrap();
            let (count, key, body): (i64, i64, i64) = database
                .query_row("SELECT count(*), max(length(key)), max(length(CAST(body AS BLOB))) FROM object", [], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                })
                .unwrap();
            assert_eq!((count, key), (2_500, 24));
            assert!((400..700).contains(&body), "{body} bytes");
        }
    }
}
