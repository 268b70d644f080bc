//! A file that has to be in memory as a whole before any of it means something: read between two looks at its state, so
//! that a file that is being written is told from one that is there.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::Attributes;

use super::config::Config;
use super::fault::RowFault;
use super::input::{Input, Stamp, io_error};
use super::tree::{Item, Items};

/// The largest file of such a format.
pub(super) const MAX_BYTES: usize = 128 << 20;

/// One record.
pub(super) struct Part {
    pub line: u64,
    /// What its digest is made of.
    pub raw: Vec<u8>,
    pub attributes: Result<Attributes, RowFault>,
}

/// All records of a file.
pub(super) struct Whole {
    config: Arc<Config>,
    input: Input,
    parts: std::vec::IntoIter<Part>,
    now: Option<Part>,
    columns: Vec<provost_model::Text>,
    checks: Vec<CheckResult>,
}

/// The decoded bytes of a file.
pub(super) fn read(input: &mut Input, config: &Config) -> Result<Vec<u8>, ConnectorError> {
    let mut all = Vec::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        let read = input.fill(&mut piece).map_err(|error| io_error(&error, "read", &config.path))?;
        if read == 0 {
            break;
        }
        if all.len() + read > MAX_BYTES {
            let message = format!("{} has more than {MAX_BYTES} bytes", config.file);
            return Err(ConnectorError::new(ErrorCode::Unreadable, message)
                .hint("split the export; this format is held in memory as a whole"));
        }
        all.extend_from_slice(&piece[..read]);
    }
    if let Some(what) = input.disturbance(&config.path) {
        let message = format!("{} {what}", config.file);
        return Err(ConnectorError::new(ErrorCode::Unreadable, message)
            .hint("let the export write to another name, and rename the file when it is done"));
    }
    Ok(all)
}

impl Whole {
    pub fn new(
        config: &Arc<Config>,
        input: Input,
        parts: Vec<Part>,
        columns: Vec<provost_model::Text>,
        checks: Vec<CheckResult>,
    ) -> Self {
        Self { config: config.clone(), input, parts: parts.into_iter(), now: None, columns, checks }
    }
}

impl Items for Whole {
    fn next(&mut self) -> Result<Item, ConnectorError> {
        self.now = self.parts.next();
        Ok(if self.now.is_some() { Item::Record } else { Item::End(None) })
    }

    fn line(&self) -> u64 {
        self.now.as_ref().map_or(0, |part| part.line)
    }

    fn raw(&self) -> &[u8] {
        self.now.as_ref().map_or(&[], |part| &part.raw)
    }

    fn attributes(&self) -> Result<Attributes, Box<RowFault>> {
        match self.now.as_ref().map(|part| &part.attributes) {
            Some(Ok(attributes)) => Ok(attributes.clone()),
            Some(Err(fault)) => Err(Box::new(fault.clone())),
            None => Ok(Attributes::new()),
        }
    }

    fn columns(&self) -> Option<Vec<provost_model::Text>> {
        Some(self.columns.clone())
    }

    fn describe(&self) -> Vec<CheckResult> {
        let mut all = vec![self.input.describe()];
        all.extend(self.checks.iter().cloned());
        all
    }

    fn stamp(&self) -> &Stamp {
        self.input.stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.input.disturbance(&self.config.path)
    }
}
