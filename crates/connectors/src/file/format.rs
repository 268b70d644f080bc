//! The seam between what a format is and what is done with any file: a [`Reader`] gives one record after the other, with
//! its digest, or a fault with its place. Keys seen twice, changes under the read, pages and searches are not its business
//! (`read`, `find`); nor is writing (`write`).

use provost_connector::{CheckResult, ConnectorError, ErrorCode, Retry, Scope};
use provost_model::schema::ClassSchema;
use provost_model::{AttributePath, Digest, ObjectId, Record, Text};

use super::config::Config;
use super::delimited::Delimited;
use super::fault::RowFault;
use super::fixed::FixedLines;
use super::input::Stamp;
use super::jsonl::JsonLines;
use super::ldif::LdifContent;
use super::ldif::fold::LdifChanges;
use super::shape::Format;
use super::sheet;
use super::tree::Tree;
use super::xml;

/// One step of a [`Reader`].
pub(super) enum Step {
    /// A record, whose id was written to the caller's text.
    Record,
    /// A record that cannot be read.
    Fault(RowFault),
    /// The end, and why what was read may not be all of it, if so.
    End(Option<String>),
}

/// What a format makes of one file, in the file's order.
pub(super) trait Reader: Send {
    /// Goes to the next record and writes its id.
    fn next(&mut self, id: &mut String) -> Result<Step, ConnectorError>;

    /// The line, or row, of the record at hand, from 1.
    fn line(&self) -> u64;

    /// The digest of the record at hand, with the settings that tell what it means.
    fn digest(&self) -> Digest;

    /// The record at hand; asked once.
    fn record(&mut self, id: ObjectId) -> Result<Record, Box<RowFault>>;

    /// A fault at the key of the record at hand.
    fn at_key(&self, error: ConnectorError) -> RowFault;

    /// The attributes that records are asked for; all without a call.
    fn want(&mut self, attributes: &[Text]);

    /// Where a path's values are in the records, and whether they are compared exactly; none when there cannot be any.
    fn resolve(&self, path: &AttributePath) -> Option<(AttributePath, bool)>;

    /// What the file's class has; may read on.
    fn class(&mut self) -> Result<ClassSchema, ConnectorError>;

    /// What the checks of a connection say of the file as it was opened.
    fn describe(&self) -> Vec<CheckResult>;

    /// The state of the file that is read.
    fn stamp(&self) -> &Stamp;

    /// Why what was read may not be one state of the file, asked at its end.
    fn disturbance(&self) -> Option<String>;
}

/// Opens the file with the reader of its format.
pub(super) fn open(config: &std::sync::Arc<Config>) -> Result<Box<dyn Reader>, ConnectorError> {
    Ok(match config.format {
        Format::Csv => Box::new(Delimited::open(config)?),
        Format::Fixed => Box::new(Tree::new(config, FixedLines::open(config)?)),
        Format::Xlsx | Format::Ods => Box::new(Tree::new(config, sheet::open(config)?)),
        Format::Xml => Box::new(Tree::new(config, xml::open(config)?)),
        Format::Ldif if config.shape.changes => Box::new(Tree::new(config, LdifChanges::open(config)?)),
        Format::Ldif => Box::new(Tree::new(config, LdifContent::open(config)?)),
        Format::Jsonl => Box::new(Tree::new(config, JsonLines::open(config)?)),
    })
}

/// An error about one record.
pub(super) fn item_error(code: ErrorCode, message: impl Into<String>, hint: &str) -> ConnectorError {
    let mut error = ConnectorError::new(code, message).scope(Scope::Item).hint(hint);
    error.retry = Retry::WhenChanged;
    error
}
