//! What a thread with a connection is asked to do, and how it does it.

use std::borrow::Cow;

use rusqlite::{CachedStatement, Connection, Statement};

use super::super::cells::{Cell, Cells};
use crate::{Result, StoreError};

/// How much of what a statement gives is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Want {
    Rows,
    Row,
}

/// One job.
#[derive(Debug)]
pub(in crate::db) enum Work {
    /// Nothing but a connection.
    Connect,
    Begin,
    Commit,
    Rollback,
    Run {
        text: Cow<'static, str>,
        values: Cells,
        cached: bool,
        want: Want,
    },
    /// One statement for each group of `columns` values. Within a transaction alone.
    Each {
        text: String,
        columns: usize,
        values: Cells,
    },
    Script(String),
}

/// What a job gave.
#[derive(Debug, Default)]
pub(in crate::db) struct Answer {
    pub names: Box<[Box<str>]>,
    /// Of all rows; after [`Work::Each`] the memory of its values.
    pub cells: Cells,
    /// Where each row begins among the cells.
    pub rows: Vec<usize>,
    /// Rows that were written.
    pub touched: u64,
}

/// A connection and what became of its transaction.
pub struct Worker {
    connection: Connection,
    /// A statement of the open transaction failed: as on PostgreSQL, it can only be rolled back.
    failed: bool,
}

/// Rows after which a job looks whether anybody still waits for it.
const PATIENCE: usize = 256;

impl Worker {
    pub fn new(connection: Connection) -> Self {
        Self { connection, failed: false }
    }

    /// Does a job of a transaction, or one by itself. Whatever those before have left is not in its way, and it is never
    /// done outside the transaction that it belongs to.
    pub fn run(&mut self, work: Work, in_transaction: bool, given_up: impl Fn() -> bool) -> Result<Answer> {
        let open = !self.connection.is_autocommit();
        match (in_transaction, open) {
            (true, false) if matches!(work, Work::Rollback) => return Ok(Answer::default()),
            (true, false) => return Err(StoreError::Unavailable("the transaction was rolled back".to_owned())),
            (false, true) => self.rollback()?,
            _ => {}
        }
        let result = match work {
            Work::Connect => Ok(Answer::default()),
            Work::Begin => {
                self.failed = false;
                self.command("begin immediate")
            }
            Work::Commit if self.failed => {
                self.rollback()?;
                Err(StoreError::Refused("a statement of the transaction failed, so that it was rolled back".to_owned()))
            }
            Work::Commit => self.command("commit").inspect_err(|_| drop(self.rollback())),
            Work::Rollback => self.rollback().map(|()| Answer::default()),
            Work::Run { text, values, cached, want } => self.statement(&text, &values, cached, want, given_up),
            Work::Each { text, columns, values } => {
                let touched = self.each(&text, columns, &values);
                touched.map(|touched| Answer { touched, cells: values.cleared(), ..Answer::default() })
            }
            Work::Script(text) => Ok(self.connection.execute_batch(&text).map(|()| Answer::default())?),
        };
        self.failed |= result.is_err();
        result
    }

    fn command(&self, text: &'static str) -> Result<Answer> {
        self.connection.prepare_cached(text)?.raw_execute()?;
        Ok(Answer::default())
    }

    fn rollback(&mut self) -> Result<()> {
        self.failed = false;
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.command("rollback").map(drop)
    }

    fn statement(
        &self,
        text: &str,
        values: &Cells,
        cached: bool,
        want: Want,
        given_up: impl Fn() -> bool,
    ) -> Result<Answer> {
        let mut kept: CachedStatement<'_>;
        let mut once: Statement<'_>;
        let statement: &mut Statement<'_> = if cached {
            kept = self.connection.prepare_cached(text)?;
            &mut kept
        } else {
            once = self.connection.prepare(text)?;
            &mut once
        };
        bind_all(statement, values)?;
        let (columns, readonly) = (statement.column_count(), statement.readonly());
        let names = statement.column_names().into_iter().map(Box::from).collect();
        let mut answer = Answer { names, ..Answer::default() };
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            answer.rows.push(answer.cells.end());
            for at in 0..columns {
                answer.cells.push(row.get_ref(at)?);
            }
            // One that writes is stepped to its end, whoever reads its rows.
            if readonly && (want == Want::Row || (answer.rows.len().is_multiple_of(PATIENCE) && given_up())) {
                break;
            }
        }
        drop(rows);
        answer.touched = self.connection.changes();
        Ok(answer)
    }

    fn each(&self, text: &str, columns: usize, values: &Cells) -> Result<u64> {
        let mut statement = self.connection.prepare_cached(text)?;
        let (mut at, mut touched) = (0, 0);
        while at < values.end() {
            for column in 1..=columns {
                statement.raw_bind_parameter(column, values.next(&mut at).unwrap_or(Cell::NULL))?;
            }
            touched += statement.raw_execute()? as u64;
        }
        Ok(touched)
    }
}

/// Built statements have bare placeholders in the order of the values, those from files have `$n`, which is a name to SQLite.
fn bind_all(statement: &mut Statement<'_>, values: &Cells) -> Result<()> {
    let mut at = 0;
    let values: Vec<Cell<'_>> = std::iter::from_fn(|| values.next(&mut at)).collect();
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.get(1..)?.parse().ok()).unwrap_or(place);
        if let Some(value) = values.get(number - 1) {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    Ok(())
}
