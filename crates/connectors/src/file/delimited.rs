//! Delimited text as a [`Reader`]: `rows` splits, `table` knows what the cells mean.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::schema::ClassSchema;
use provost_model::{AttributePath, Digest, ObjectId, Record, Text};

use super::config::Config;
use super::fault::RowFault;
use super::format::{Reader, Step};
use super::input::Stamp;
use super::rows::{Next, Rows};
use super::schema;
use super::table::{self, Table};

pub(super) struct Delimited {
    config: Arc<Config>,
    rows: Rows,
    table: Table,
    wanted: Vec<bool>,
    /// The line of a row with too few cells, as long as it is the last one.
    short: Option<u64>,
}

impl Delimited {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let (rows, table) = table::open(config)?;
        let wanted = vec![true; table.columns.len()];
        Ok(Self { config: config.clone(), rows, table, wanted, short: None })
    }

    /// None for a row whose cells are all empty.
    fn row(&mut self, key: &mut String) -> Option<Step> {
        let (rows, config) = (&self.rows, &*self.config);
        self.short = (rows.count < self.table.columns.len()).then_some(rows.line);
        let id = match self.table.identify(rows, config) {
            Ok(Some(id)) => id,
            Ok(None) => return None,
            Err(fault) => return Some(Step::Fault(*fault)),
        };
        if rows.line_end().is_empty() && config.final_newline {
            let (last, hint) =
                ("the last row has no line end, so it may be cut short", "see why the scan is incomplete");
            return Some(Step::Fault(self.table.row_fault(rows, config, ErrorCode::Unreadable, last.into(), hint)));
        }
        key.clear();
        key.push_str(&id);
        Some(Step::Record)
    }

    fn too_long(&self) -> RowFault {
        let message = "the row is longer than a row may be; what follows on its lines was passed over".to_owned();
        let hint = "look for a quote that is not closed, and check `quote` and `delimiter`";
        self.table
            .row_fault(&self.rows, &self.config, ErrorCode::InvalidValue, message, hint)
            .id(None)
            .column(self.rows.cells().len())
    }

    /// The line on which the cell begins whose quote is open.
    fn open_line(&self) -> u64 {
        self.rows.line + self.rows.cells().last().map_or(0, |cell| u64::from(cell.lines))
    }

    fn cut(&self) -> Option<String> {
        if self.config.final_newline && self.rows.is_cut() {
            return Some(format!(
                "the last line, {}, has no line end, so the file may be cut short (hint: export it again; \
                 if this export never ends its last line, set final_newline: optional)",
                self.rows.line
            ));
        }
        self.short.map(|line| format!("the last row, line {line}, has too few cells, so the file may be cut short"))
    }
}

impl Reader for Delimited {
    fn next(&mut self, id: &mut String) -> Result<Step, ConnectorError> {
        loop {
            let next = self.rows.next(&self.config)?;
            return Ok(match next {
                Next::End => Step::End(self.cut()),
                // Without its end nothing is known about what follows.
                Next::Row | Next::TooLong if self.rows.is_open() => {
                    Step::End(Some(format!("the quote that opens on line {} never closes", self.open_line())))
                }
                Next::TooLong => Step::Fault(self.too_long()),
                Next::Row => match self.row(id) {
                    Some(step) => step,
                    None => continue,
                },
            });
        }
    }

    fn line(&self) -> u64 {
        self.rows.line
    }

    fn digest(&self) -> Digest {
        self.table.digest(&self.rows)
    }

    fn record(&mut self, id: ObjectId) -> Result<Record, Box<RowFault>> {
        self.table.record(id, &self.rows, &self.wanted, &self.config)
    }

    fn at_key(&self, error: ConnectorError) -> RowFault {
        RowFault { line: self.rows.line, column: self.table.keys.first().copied(), id: None, error }
    }

    fn want(&mut self, attributes: &[Text]) {
        let asked = |name: &Text| attributes.iter().any(|want| want.eq_ignore_ascii_case(name));
        self.wanted = self.table.columns.iter().map(|column| asked(&column.name)).collect();
    }

    fn resolve(&self, path: &AttributePath) -> Option<(AttributePath, bool)> {
        self.table.resolve(path)
    }

    fn class(&mut self) -> Result<ClassSchema, ConnectorError> {
        Ok(schema::of_table(&self.table, &self.config))
    }

    fn describe(&self) -> Vec<CheckResult> {
        let delimiter = char::from(self.rows.delimiter).escape_debug().to_string();
        let header = format!("{} columns, separated by `{delimiter}`", self.table.columns.len());
        let keys: Vec<&str> = self.table.keys.iter().map(|key| self.table.columns[*key].header.as_str()).collect();
        vec![self.rows.input.describe(), CheckResult::ok("header", header), CheckResult::ok("key", keys.join(", "))]
    }

    fn stamp(&self) -> &Stamp {
        self.rows.input.stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.rows.input.disturbance(&self.config.path)
    }
}
