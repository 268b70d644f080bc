//! JSON lines: one object a line, read as a tree.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::Attributes;

use super::config::Config;
use super::fault::RowFault;
use super::format::item_error;
use super::input::{Input, Stamp};
use super::json;
use super::lines::{Line, Lines};
use super::tree::{Item, Items};

pub(super) struct JsonLines {
    config: Arc<Config>,
    lines: Lines,
    /// Why the file may be cut short, found at its last line.
    cut: Option<String>,
    passed_over: bool,
    /// The line end of the file.
    end: &'static [u8],
}

impl JsonLines {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let lines = Lines::new(Input::open(config)?, config);
        Ok(Self { config: config.clone(), lines, cut: None, passed_over: false, end: b"\n" })
    }

    /// The line end that the file has.
    pub fn line_end(&self) -> &'static [u8] {
        self.end
    }

    pub fn input(&self) -> &Input {
        &self.lines.input
    }

    /// Whether the line at hand was too long to be kept.
    pub fn is_passed_over(&self) -> bool {
        self.passed_over
    }

    fn fault(&self, column: usize, code: ErrorCode, message: String, hint: &str) -> RowFault {
        RowFault { line: self.lines.number, column: Some(column), id: None, error: item_error(code, message, hint) }
    }
}

/// The object that a line holds; otherwise the place in the line and what is wrong there.
pub(super) fn parse(line: &[u8], config: &Config) -> Result<Attributes, json::JsonError> {
    let text = std::str::from_utf8(line).map_err(|error| json::JsonError {
        message: "the line holds bytes that cannot be decoded".into(),
        column: error.valid_up_to(),
    })?;
    json::read(text, config.max_field_bytes)
}

impl Items for JsonLines {
    fn next(&mut self) -> Result<Item, ConnectorError> {
        let line = self.lines.next(&self.config)?;
        self.passed_over = line == Line::TooLong;
        match line {
            Line::End => return Ok(Item::End(self.cut.take())),
            Line::TooLong => {
                let message = "the line is longer than a line may be and was passed over".to_owned();
                let hint = "raise `max_field_bytes`, or check what the export wrote";
                return Ok(Item::Fault(self.fault(0, ErrorCode::InvalidValue, message, hint)));
            }
            Line::Text if self.lines.text().trim_ascii().is_empty() => return Ok(Item::Other),
            Line::Text => {}
        }
        if self.lines.line_end() == b"\r\n" {
            self.end = b"\r\n";
        }
        if self.lines.line_end().is_empty() {
            let number = self.lines.number;
            if self.config.final_newline {
                self.cut = Some(format!(
                    "the last line, {number}, has no line end, so the file may be cut short (hint: export it again; \
                         if this export never ends its last line, set final_newline: optional)"
                ));
                let message = "the last line has no line end, so it may be cut short".to_owned();
                let hint = "see why the scan is incomplete";
                return Ok(Item::Fault(self.fault(0, ErrorCode::Unreadable, message, hint)));
            }
            if parse(self.lines.text(), &self.config).is_err() {
                self.cut = Some(format!("the last line, {number}, is no whole object, so the file may be cut short"));
            }
        }
        Ok(Item::Record)
    }

    fn line(&self) -> u64 {
        self.lines.number
    }

    fn raw(&self) -> &[u8] {
        self.lines.text()
    }

    fn attributes(&self) -> Result<Attributes, Box<RowFault>> {
        parse(self.lines.text(), &self.config).map_err(|error| {
            let hint = "each line has to hold one JSON object as a whole; check the export, and `encoding`";
            Box::new(self.fault(error.column, ErrorCode::InvalidValue, error.message, hint))
        })
    }

    fn describe(&self) -> Vec<CheckResult> {
        vec![self.lines.input.describe()]
    }

    fn stamp(&self) -> &Stamp {
        self.lines.input.stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.lines.input.disturbance(&self.config.path)
    }
}
