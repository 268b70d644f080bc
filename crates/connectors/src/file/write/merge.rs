//! One pass over the old file: records that no operation names are copied byte for byte, the others are edited, new ones
//! follow at the end. Memory holds the batch, not the file. What a record is, and what an operation makes of it, is the
//! [`Writer`]'s.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;
use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode};
use provost_model::{ObjectId, Operation};

use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::fixed::FixedLines;
use super::super::jsonl::JsonLines;
use super::super::ldif::LdifContent;
use super::super::shape::Format;
use super::Lock;
use super::cells::Cells;
use super::draft::{Draft, disturbed};
use super::ldif::Changes;
use super::tree::Trees;

/// Records between two looks at the caller's patience.
const RECORDS: u64 = 1024;

/// How a format is written: the seam beside [`Reader`](super::super::format::Reader). A writer holds the old file, if there
/// is one, and stands at one of its records.
pub(super) trait Writer {
    /// One operation, ready for its record. What cannot be written exactly is refused before.
    type Edit;
    /// A record that may be edited.
    type State: Clone + PartialEq;

    fn encoding(&self) -> &'static Encoding;

    fn edit(&mut self, operation: &Operation) -> Result<Self::Edit, ConnectorError>;

    fn whose(edit: &Self::Edit) -> &ObjectId;

    /// Does an edit to a record, or to none. The record stays as it was when the edit fails.
    fn apply(&self, edit: &Self::Edit, record: &mut Option<Self::State>) -> Result<Done, ConnectorError>;

    /// Writes what stands before all records; whether that differs from the old file.
    fn begin(&mut self, draft: &mut Draft) -> Result<bool, ConnectorError>;

    /// Goes to the next record of the old file.
    fn next(&mut self) -> Result<Met, ConnectorError>;

    /// The record at hand, to be edited.
    fn state(&self) -> Result<Self::State, Box<RowFault>>;

    /// Writes the record at hand as it stands.
    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError>;

    /// Writes a record.
    fn put(&self, record: &Self::State, draft: &mut Draft) -> Result<(), ConnectorError>;

    /// Writes what stands after all records; `empty` when there is no object.
    fn finish(&mut self, draft: &mut Draft, empty: bool) -> Result<(), ConnectorError>;

    /// Why the old file may not be what was read.
    fn disturbance(&self, path: &Path) -> Option<String>;
}

/// What a writer stands at.
pub(super) enum Met {
    Object(ObjectId),
    /// Something that is copied: no object of the class.
    Nobody,
    /// A record that cannot be read; it is copied, and operations on it fail.
    Broken(Box<RowFault>),
    End,
}

/// Writes the batch. The outcomes are those of the operations, in their order.
pub(super) fn run(cx: &Context, config: &Arc<Config>, path: &Path, operations: &[Operation]) -> Vec<Applied> {
    run_with(cx, config, path, operations, |_| {})
}

pub(super) fn run_with(
    cx: &Context,
    config: &Arc<Config>,
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
    config: &Arc<Config>,
    path: &Path,
    operations: &[Operation],
    outcomes: &mut [Option<Applied>],
    prepare: impl FnOnce(&mut Draft),
) -> Result<(), ConnectorError> {
    let mut lock = Lock::take(cx, path)?;
    let exists = !super::super::is_yet_to_come(config)?;
    let batch = Batch { cx, config, path, operations, outcomes, exists };
    let written = match config.format {
        Format::Csv => batch.write(Cells::open(config, exists)?, prepare),
        Format::Fixed => batch.write(Trees::<FixedLines>::open(config, exists)?, prepare),
        // Never a target: the settings have no `write`.
        Format::Xml | Format::Xlsx | Format::Ods => {
            let message = format!("{}: such a file is only read", config.file);
            return Err(ConnectorError::new(ErrorCode::NotSupported, message));
        }
        Format::Ldif if config.shape.write_changes => batch.write(Changes::open(config, exists)?, prepare),
        Format::Ldif => batch.write(Trees::<LdifContent>::open(config, exists)?, prepare),
        Format::Jsonl => batch.write(Trees::<JsonLines>::open(config, exists)?, prepare),
    }?;
    if written && let Err(error) = lock.mark() {
        tracing::warn!(file = %config.file, %error, "the lock file could not be marked");
    }
    Ok(())
}

/// One batch for one file.
struct Batch<'a> {
    cx: &'a Context,
    config: &'a Config,
    path: &'a Path,
    operations: &'a [Operation],
    outcomes: &'a mut [Option<Applied>],
    exists: bool,
}

impl Batch<'_> {
    /// Whether a new version of the file was put in place.
    fn write<W: Writer>(self, mut writer: W, prepare: impl FnOnce(&mut Draft)) -> Result<bool, ConnectorError> {
        let mut edits = Vec::with_capacity(self.operations.len());
        for (operation, outcome) in self.operations.iter().zip(self.outcomes.iter_mut()) {
            edits.push(match writer.edit(operation) {
                Ok(edit) => Some(edit),
                Err(error) => {
                    *outcome = Some(Applied::failed(operation.id.clone(), error));
                    None
                }
            });
        }
        let mut draft = Draft::new(self.path, writer.encoding())?;
        prepare(&mut draft);
        let meta = match self.exists {
            true => Some(std::fs::metadata(self.path).map_err(|_| disturbed(self.path, "was removed"))?),
            false => None,
        };
        let dirty = writer.begin(&mut draft)?;
        let (path, cx) = (self.path, self.cx);
        let mut merge = Merge { batch: self, edits: &edits, writer, draft, dirty, left: 0 };
        merge.pass()?;
        let disturbance = merge.writer.disturbance(path);
        if !merge.dirty {
            return Ok(false);
        }
        merge.writer.finish(&mut merge.draft, merge.left == 0)?;
        if let Some(what) = disturbance {
            return Err(disturbed(path, &what));
        }
        cx.check()?;
        merge.draft.commit(meta.as_ref())?;
        Ok(true)
    }
}

struct Merge<'a, 'b, W: Writer> {
    batch: Batch<'b>,
    edits: &'a [Option<W::Edit>],
    writer: W,
    draft: Draft,
    /// Whether the new file differs from the old one.
    dirty: bool,
    /// Objects in the new file.
    left: u64,
}

type ById<'a> = HashMap<&'a ObjectId, Vec<usize>>;

impl<'a, W: Writer> Merge<'a, '_, W> {
    /// The edits of each record, and the records in the order in which they are first named.
    fn by_id(&self) -> (ById<'a>, Vec<(&'a ObjectId, Vec<usize>)>) {
        let mut order: Vec<(&ObjectId, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&ObjectId, usize> = HashMap::new();
        for (at, edit) in self.edits.iter().enumerate() {
            if let Some(edit) = edit {
                let id = W::whose(edit);
                let place = *places.entry(id).or_insert_with(|| {
                    order.push((id, Vec::new()));
                    order.len() - 1
                });
                order[place].1.push(at);
            }
        }
        (order.iter().cloned().collect(), order)
    }

    fn pass(&mut self) -> Result<(), ConnectorError> {
        let (by_id, order) = self.by_id();
        // Records that were met: whether one is left in the new file.
        let mut met: HashMap<&ObjectId, bool> = HashMap::new();
        let mut count = 0u64;
        loop {
            count += 1;
            if count.is_multiple_of(RECORDS) {
                self.batch.cx.check()?;
            }
            let id = match self.writer.next()? {
                Met::End => break,
                Met::Object(id) => id,
                Met::Nobody => {
                    self.writer.copy(&mut self.draft)?;
                    continue;
                }
                Met::Broken(fault) => {
                    if let Some((id, edits)) = fault.id.as_ref().and_then(|id| by_id.get_key_value(id)) {
                        self.fail(edits, &fault);
                        met.insert(id, true);
                    }
                    ObjectId::default()
                }
            };
            let Some((id, edits)) = by_id.get_key_value(&id) else {
                self.copy()?;
                continue;
            };
            match met.get(*id) {
                // A second record with the key: gone with the first one, otherwise left for the scan to report.
                Some(true) => self.copy()?,
                Some(false) => {}
                None => {
                    let left = self.rewrite(edits)?;
                    met.insert(id, left);
                }
            }
        }
        self.append(order.into_iter().filter(|(id, _)| !met.contains_key(id)).collect())
    }

    /// Edits the record at hand; whether there is one afterwards.
    fn rewrite(&mut self, edits: &[usize]) -> Result<bool, ConnectorError> {
        let old = match self.writer.state() {
            Ok(old) => old,
            Err(fault) => {
                self.fail(edits, &fault);
                self.copy()?;
                return Ok(true);
            }
        };
        let mut record = Some(old.clone());
        self.edit(edits, &mut record);
        match record {
            Some(new) if new == old => self.copy()?,
            Some(new) => self.put(&new)?,
            None => {
                self.dirty = true;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The edits of a record that cannot be read.
    fn fail(&mut self, edits: &[usize], fault: &RowFault) {
        let file = &self.batch.config.file;
        for at in edits {
            let message = format!("the row cannot be read: {}: {}", fault.place(file), fault.error);
            let mut error = ConnectorError::new(ErrorCode::InvalidValue, message);
            error.hint.clone_from(&fault.error.hint);
            self.batch.outcomes[*at] = Some(Applied::failed(self.batch.operations[*at].id.clone(), error));
        }
    }

    /// The records that the old file does not have.
    fn append(&mut self, order: Vec<(&ObjectId, Vec<usize>)>) -> Result<(), ConnectorError> {
        for (_, edits) in order {
            let mut record = None;
            self.edit(&edits, &mut record);
            if let Some(new) = record {
                self.put(&new)?;
            }
        }
        Ok(())
    }

    fn edit(&mut self, edits: &[usize], record: &mut Option<W::State>) {
        for at in edits {
            let (Some(edit), operation) = (&self.edits[*at], &self.batch.operations[*at]) else { continue };
            self.batch.outcomes[*at] = Some(match self.writer.apply(edit, record) {
                Ok(done) => Applied::done(operation.id.clone(), done),
                Err(error) => Applied::failed(operation.id.clone(), error),
            });
        }
    }

    fn copy(&mut self) -> Result<(), ConnectorError> {
        self.left += 1;
        self.writer.copy(&mut self.draft)
    }

    fn put(&mut self, record: &W::State) -> Result<(), ConnectorError> {
        self.left += 1;
        self.dirty = true;
        self.writer.put(record, &mut self.draft)
    }
}

/// Why a file is left as it is.
pub(super) fn refuse(config: &Config, line: u64, what: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::Unreadable, format!("{} is not rewritten: line {line} {what}", config.file))
        .hint("repair the file; `provost connector test` shows what is wrong with it")
}
