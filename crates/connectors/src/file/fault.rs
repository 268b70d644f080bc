//! A row that is not read: where, whose, why.

use provost_connector::{ConnectorError, ScanFault};
use provost_model::{ObjectId, Text};

/// Why a row is not read.
#[derive(Debug, Clone)]
pub(super) struct RowFault {
    pub line: u64,
    /// From 0.
    pub column: Option<usize>,
    pub id: Option<ObjectId>,
    pub error: ConnectorError,
}

impl RowFault {
    pub fn into_scan_fault(self, file: &str) -> ScanFault {
        ScanFault { place: self.place(file), id: self.id, error: self.error }
    }

    /// `file:line:column`, the column counted in cells.
    pub fn place(&self, file: &str) -> Text {
        match self.column {
            Some(column) => format!("{file}:{}:{}", self.line, column + 1).into(),
            None => format!("{file}:{}", self.line).into(),
        }
    }

    pub fn id(mut self, id: Option<ObjectId>) -> Self {
        self.id = id;
        self
    }

    pub fn column(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }
}
