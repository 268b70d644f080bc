//! Columns of a fixed width: one line is one record, blanks fill up. Places and widths count characters of the decoded text.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::{Attributes, Text, Value};

use super::cell;
use super::config::Config;
use super::fault::RowFault;
use super::format::item_error;
use super::input::{Input, Stamp};
use super::lines::{Line, Lines};
use super::tree::{Item, Items};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub name: Text,
    /// From 0.
    pub start: usize,
    pub width: usize,
    /// Blanks around the value are none of it.
    pub trim: bool,
}

pub(super) struct FixedLines {
    config: Arc<Config>,
    lines: Lines,
    cut: Option<String>,
    passed_over: bool,
    end: &'static [u8],
}

/// Characters that a line needs.
pub(super) fn width(config: &Config) -> usize {
    config.shape.slots.iter().map(|slot| slot.start + slot.width).max().unwrap_or(0)
}

impl FixedLines {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let lines = Lines::new(Input::open(config)?, config);
        Ok(Self { config: config.clone(), lines, cut: None, passed_over: false, end: b"\n" })
    }

    pub fn input(&self) -> &Input {
        &self.lines.input
    }

    /// The line end that the file has.
    pub fn line_end(&self) -> &'static [u8] {
        self.end
    }

    /// Whether the line at hand was too long to be kept.
    pub fn is_passed_over(&self) -> bool {
        self.passed_over
    }

    /// Whether the line at hand ends without a line end where one is wanted.
    pub fn is_cut(&self) -> bool {
        self.lines.line_end().is_empty() && self.config.final_newline
    }

    fn fault(&self, fault: Fault) -> RowFault {
        let error = item_error(fault.code, fault.message, fault.hint);
        RowFault { line: self.lines.number, column: fault.column, id: None, error }
    }
}

/// What is wrong with a line.
pub(super) struct Fault {
    code: ErrorCode,
    /// The column's place in the settings.
    column: Option<usize>,
    message: String,
    hint: &'static str,
}

/// The values that a line holds.
pub(super) fn parse(line: &[u8], config: &Config) -> Result<Attributes, Fault> {
    let bad = |column, message: String, hint| Fault { code: ErrorCode::InvalidValue, column, message, hint };
    let text = std::str::from_utf8(line).map_err(|error| {
        let message = format!("the line holds bytes that cannot be decoded, from byte {} on", error.valid_up_to() + 1);
        bad(None, message, "set `encoding` to what the export writes")
    })?;
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let byte = |at: usize| chars.get(at).map_or(text.len(), |(byte, _)| *byte);
    let needed = width(config);
    if chars.len() < needed && !config.shape.short_lines {
        return Err(Fault {
            code: ErrorCode::Unreadable,
            column: None,
            message: format!("the line has {} characters, the columns need {needed}", chars.len()),
            hint: "export it again; if this export leaves blanks out at the ends of lines, set short_lines: true",
        });
    }
    let mut attributes = Attributes::with_capacity(config.shape.slots.len());
    for (at, slot) in config.shape.slots.iter().enumerate() {
        let value = &text[byte(slot.start)..byte(slot.start + slot.width)];
        let value = if slot.trim { value.trim_matches(' ') } else { value };
        let is_blank = value.trim_matches(' ').is_empty();
        if value.contains('\0') {
            let message = format!("`{}` holds a NUL byte", slot.name);
            return Err(bad(Some(at), message, "remove it in the export, or check `encoding`"));
        }
        if value.len() > config.max_field_bytes {
            let message = format!("`{}` has {} bytes, more than {}", slot.name, value.len(), config.max_field_bytes);
            return Err(bad(Some(at), message, "raise `max_field_bytes`"));
        }
        let value = if is_blank || cell::is_null(value, config) { Value::Null } else { Value::text(value) };
        attributes.push(slot.name.clone(), value);
    }
    Ok(attributes)
}

impl Items for FixedLines {
    fn next(&mut self) -> Result<Item, ConnectorError> {
        let line = self.lines.next(&self.config)?;
        self.passed_over = line == Line::TooLong;
        match line {
            Line::End => return Ok(Item::End(self.cut.take())),
            Line::TooLong => {
                return Ok(Item::Fault(self.fault(Fault {
                    code: ErrorCode::InvalidValue,
                    column: None,
                    message: "the line is longer than a line may be and was passed over".into(),
                    hint: "raise `max_field_bytes`, or check what the export wrote",
                })));
            }
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
                return Ok(Item::Fault(self.fault(Fault {
                    code: ErrorCode::Unreadable,
                    column: None,
                    message: "the last line has no line end, so it may be cut short".into(),
                    hint: "see why the scan is incomplete",
                })));
            }
            if parse(self.lines.text(), &self.config).is_err() {
                self.cut = Some(format!("the last line, {number}, is no whole record, so the file may be cut short"));
            }
        }
        let is_header = self.config.header && self.lines.number == 1;
        let is_blank = self.lines.text().iter().all(|byte| *byte == b' ');
        Ok(if is_header || is_blank { Item::Other } else { Item::Record })
    }

    fn line(&self) -> u64 {
        self.lines.number
    }

    fn raw(&self) -> &[u8] {
        self.lines.text()
    }

    fn attributes(&self) -> Result<Attributes, Box<RowFault>> {
        parse(self.lines.text(), &self.config).map_err(|fault| Box::new(self.fault(fault)))
    }

    fn columns(&self) -> Option<Vec<Text>> {
        Some(self.config.shape.slots.iter().map(|slot| slot.name.clone()).collect())
    }

    fn describe(&self) -> Vec<CheckResult> {
        let columns = &self.config.shape.slots;
        let message = format!("{} columns in {} characters", columns.len(), width(&self.config));
        vec![self.lines.input.describe(), CheckResult::ok("columns", message)]
    }

    fn stamp(&self) -> &Stamp {
        self.lines.input.stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.lines.input.disturbance(&self.config.path)
    }
}
