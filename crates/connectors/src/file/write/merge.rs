//! One pass over the old file: rows that no operation names are copied byte for byte, the others are edited, new rows
//! follow at the end. Memory holds the batch, not the file.

use std::collections::HashMap;
use std::path::Path;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{Applied, ConnectorError, Context, ErrorCode};
use provost_model::{ObjectId, Operation, Text};

use super::super::cell;
use super::super::config::{Config, Delimiter};
use super::super::fault::RowFault;
use super::super::rows::{Next, Rows};
use super::super::table::{self, Table};
use super::Lock;
use super::draft::{Draft, disturbed};
use super::edit::{Edit, Form, Row};

/// Rows between two looks at the caller's patience.
const ROWS: u64 = 1024;

/// Writes the batch. The outcomes are those of the operations, in their order.
pub(super) fn run(cx: &Context, config: &Config, path: &Path, operations: &[Operation]) -> Vec<Applied> {
    run_with(cx, config, path, operations, |_| {})
}

pub(super) fn run_with(
    cx: &Context,
    config: &Config,
    path: &Path,
    operations: &[Operation],
    prepare: impl FnOnce(&mut Draft),
) -> Vec<Applied> {
    let mut outcomes: Vec<Option<Applied>> = vec![None; operations.len()];
    let result = write(cx, config, path, operations, &mut outcomes, prepare);
    let fill = |(applied, operation): (Option<Applied>, &Operation)| match (applied, &result) {
        // What failed by itself keeps its own error; nothing is done when the file was not put in place.
        (Some(applied), Ok(())) => applied,
        (Some(applied), Err(_)) if matches!(applied.outcome, provost_connector::Outcome::Failed(_)) => applied,
        (_, Err(error)) => Applied::failed(operation.id.clone(), error.clone()),
        (None, Ok(())) => {
            let error = ConnectorError::new(ErrorCode::Internal, "the operation was passed over");
            Applied::failed(operation.id.clone(), error)
        }
    };
    outcomes.into_iter().zip(operations).map(fill).collect()
}

fn write(
    cx: &Context,
    config: &Config,
    path: &Path,
    operations: &[Operation],
    outcomes: &mut [Option<Applied>],
    prepare: impl FnOnce(&mut Draft),
) -> Result<(), ConnectorError> {
    let mut lock = Lock::take(cx, path)?;
    let old = if super::super::is_yet_to_come(config)? { None } else { Some(table::open(config)?) };
    let mut form = match &old {
        Some((rows, table)) => existing_form(config, rows, table),
        None => new_form(config)?,
    };
    let mut edits = Vec::with_capacity(operations.len());
    for (operation, outcome) in operations.iter().zip(outcomes.iter_mut()) {
        edits.push(match form.edit(operation) {
            Ok(edit) => Some(edit),
            Err(error) => {
                *outcome = Some(Applied::failed(operation.id.clone(), error));
                None
            }
        });
    }
    let mut draft = Draft::new(path, form.encoding)?;
    prepare(&mut draft);
    let meta = match &old {
        Some(_) => Some(std::fs::metadata(path).map_err(|_| disturbed(path, "was removed"))?),
        None => None,
    };
    let mut merge =
        Merge { form: &form, edits: &edits, operations, outcomes, draft, end: b"\n".to_vec(), dirty: false };
    let disturbance = match old {
        Some((mut rows, table)) => {
            merge.header(&rows)?;
            merge.pass(cx, &mut rows, &table)?;
            rows.input.disturbance(path)
        }
        None => {
            merge.new_header()?;
            merge.append_rows(merge.by_id().1)?;
            None
        }
    };
    if !merge.dirty {
        return Ok(());
    }
    if let Some(what) = disturbance {
        return Err(disturbed(path, &what));
    }
    cx.check()?;
    merge.draft.commit(meta.as_ref())?;
    if let Err(error) = lock.mark() {
        tracing::warn!(file = %config.file, %error, "the lock file could not be marked");
    }
    Ok(())
}

fn existing_form<'a>(config: &'a Config, rows: &Rows, table: &Table) -> Form<'a> {
    Form::new(config, table.columns.clone(), table.keys.clone(), rows.delimiter, rows.input.encoding)
}

fn new_form(config: &Config) -> Result<Form<'_>, ConnectorError> {
    let delimiter = match config.delimiter {
        Delimiter::Byte(byte) => byte,
        Delimiter::Auto => b',',
    };
    let encoding = config.encoding.unwrap_or(UTF_8);
    let table = Table::with_names(config, config.names.clone())?;
    let keys = config.key.iter().filter_map(|key| table.position(key)).collect();
    let mut form = Form::new(config, table.columns, keys, delimiter, encoding);
    if config.header {
        // The key comes first, then what the operations bring, in their order.
        for key in &config.key {
            let at = form.column(&super::super::attribute(config, key))?;
            form.keys.push(at);
        }
    }
    Ok(form)
}

struct Merge<'a> {
    form: &'a Form<'a>,
    edits: &'a [Option<Edit>],
    operations: &'a [Operation],
    outcomes: &'a mut [Option<Applied>],
    draft: Draft,
    /// The line end of the old file.
    end: Vec<u8>,
    /// Whether the new file differs from the old one.
    dirty: bool,
}

type ById<'a> = HashMap<&'a ObjectId, Vec<usize>>;

impl<'a> Merge<'a> {
    /// The edits of each row, and the rows in the order in which they are first named.
    fn by_id(&self) -> (ById<'a>, Vec<(&'a ObjectId, Vec<usize>)>) {
        let mut order: Vec<(&ObjectId, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&ObjectId, usize> = HashMap::new();
        for (at, edit) in self.edits.iter().enumerate() {
            if let Some(edit) = edit {
                let place = *places.entry(&edit.id).or_insert_with(|| {
                    order.push((&edit.id, Vec::new()));
                    order.len() - 1
                });
                order[place].1.push(at);
            }
        }
        (order.iter().cloned().collect(), order)
    }

    fn header(&mut self, rows: &Rows) -> Result<(), ConnectorError> {
        if rows.input.bom > 0 {
            self.draft.byte_order_mark()?;
        }
        if !self.form.config.header {
            return Ok(());
        }
        if !rows.line_end().is_empty() {
            self.end = rows.line_end().to_vec();
        }
        let mut line = rows.raw().to_vec();
        for column in &self.form.columns[self.form.old_width..] {
            line.push(self.form.delimiter);
            self.cell(&mut line, &column.header, &column.name)?;
            self.dirty = true;
        }
        self.line(line)
    }

    fn new_header(&mut self) -> Result<(), ConnectorError> {
        if [UTF_16LE, UTF_16BE].contains(&self.form.encoding) {
            self.draft.byte_order_mark()?;
        }
        if !self.form.config.header {
            return Ok(());
        }
        let mut line = Vec::new();
        for (at, column) in self.form.columns.iter().enumerate() {
            if at > 0 {
                line.push(self.form.delimiter);
            }
            self.cell(&mut line, &column.header, &column.name)?;
        }
        self.line(line)
    }

    fn pass(&mut self, cx: &Context, rows: &mut Rows, table: &Table) -> Result<(), ConnectorError> {
        let config = self.form.config;
        let (by_id, order) = self.by_id();
        // Rows that were met: whether one is left in the new file.
        let mut met: HashMap<&ObjectId, bool> = HashMap::new();
        let added = self.form.columns.len() - self.form.old_width;
        let tail = vec![self.form.delimiter; added];
        let mut count = 0u64;
        loop {
            count += 1;
            if count.is_multiple_of(ROWS) {
                cx.check()?;
            }
            match rows.next(config)? {
                Next::End => break,
                Next::Row if !rows.is_open() => {}
                _ => {
                    return Err(refuse(
                        config,
                        rows.line,
                        "has a quote that does not close, or a row that is too long",
                    ));
                }
            }
            if rows.line_end().is_empty() && config.final_newline {
                return Err(refuse(config, rows.line, "has no line end, so another program may be writing the file"));
            }
            let id = match table.identify(rows, config) {
                Ok(Some(id)) => ObjectId::from(&*id),
                Ok(None) => ObjectId::default(),
                // A broken row stays as it is, but must not come to look whole by a new column.
                Err(_) if added > 0 => {
                    return Err(refuse(config, rows.line, "cannot be read, so no column can be added"));
                }
                Err(fault) => {
                    if let Some((id, edits)) = fault.id.as_ref().and_then(|id| by_id.get_key_value(id)) {
                        self.fail(edits, &fault);
                        met.insert(id, true);
                    }
                    ObjectId::default()
                }
            };
            let Some((id, edits)) = by_id.get_key_value(&id) else {
                self.copy(rows, &tail)?;
                continue;
            };
            match met.get(*id) {
                // A second row with the key: gone with the first one, otherwise left for the scan to report.
                Some(true) => self.copy(rows, &tail)?,
                Some(false) => {}
                None => {
                    let left = self.rewrite(rows, table, edits, &tail)?;
                    met.insert(id, left);
                }
            }
        }
        self.append_rows(order.into_iter().filter(|(id, _)| !met.contains_key(id)).collect())
    }

    /// Edits the current row; whether there is one afterwards.
    fn rewrite(&mut self, rows: &Rows, table: &Table, edits: &[usize], tail: &[u8]) -> Result<bool, ConnectorError> {
        let texts = match table.texts(rows) {
            Ok(texts) => texts,
            Err(fault) => {
                self.fail(edits, &fault);
                self.copy(rows, tail)?;
                return Ok(true);
            }
        };
        let mut row = Some(texts.clone());
        self.edit(edits, &mut row);
        let Some(new) = row else {
            self.dirty = true;
            return Ok(false);
        };
        let same = new.iter().enumerate().all(|(at, text)| texts.get(at).map_or("", String::as_str) == text);
        if same {
            self.copy(rows, tail)?;
        } else {
            self.dirty = true;
            self.row(&new)?;
        }
        Ok(true)
    }

    /// The edits of a row that cannot be read.
    fn fail(&mut self, edits: &[usize], fault: &RowFault) {
        let file = &self.form.config.file;
        for at in edits {
            let message = format!("the row cannot be read: {}: {}", fault.place(file), fault.error);
            let mut error = ConnectorError::new(ErrorCode::InvalidValue, message);
            error.hint.clone_from(&fault.error.hint);
            self.outcomes[*at] = Some(Applied::failed(self.operations[*at].id.clone(), error));
        }
    }

    /// The rows that the old file does not have.
    fn append_rows(&mut self, order: Vec<(&ObjectId, Vec<usize>)>) -> Result<(), ConnectorError> {
        for (_, edits) in order {
            let mut row = None;
            self.edit(&edits, &mut row);
            if let Some(texts) = row {
                self.dirty = true;
                self.row(&texts)?;
            }
        }
        Ok(())
    }

    fn edit(&mut self, edits: &[usize], row: &mut Row) {
        for at in edits {
            let (Some(edit), operation) = (&self.edits[*at], &self.operations[*at]) else { continue };
            self.outcomes[*at] = Some(match self.form.apply(edit, row) {
                Ok(done) => Applied::done(operation.id.clone(), done),
                Err(error) => Applied::failed(operation.id.clone(), error),
            });
        }
    }

    fn copy(&mut self, rows: &Rows, tail: &[u8]) -> Result<(), ConnectorError> {
        self.draft.write(rows.raw())?;
        self.draft.write(tail)?;
        if rows.line_end().is_empty() {
            return self.draft.write(&self.end);
        }
        self.draft.write(rows.line_end())
    }

    fn row(&mut self, texts: &[String]) -> Result<(), ConnectorError> {
        let mut line = Vec::new();
        for (at, (text, column)) in texts.iter().zip(&self.form.columns).enumerate() {
            if at > 0 {
                line.push(self.form.delimiter);
            }
            self.cell(&mut line, text, &column.name)?;
        }
        self.line(line)
    }

    fn cell(&self, line: &mut Vec<u8>, text: &str, name: &Text) -> Result<(), ConnectorError> {
        cell::append(line, text, self.form.delimiter, self.form.config.quote, name)
    }

    fn line(&mut self, mut line: Vec<u8>) -> Result<(), ConnectorError> {
        line.extend_from_slice(&self.end);
        self.draft.write(&line)
    }
}

fn refuse(config: &Config, line: u64, what: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::Unreadable, format!("{} is not rewritten: line {line} {what}", config.file))
        .hint("repair the file; `provost connector test` shows what is wrong with it")
}
