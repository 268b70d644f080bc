//! JSON lines, written: a record that was edited becomes one compact line.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{AttributePath, Attributes, Value};

use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::json;
use super::super::jsonl::{JsonLines, parse};
use super::draft::Draft;
use super::tree::Notation;

impl Notation for JsonLines {
    fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        JsonLines::open(config)
    }

    fn encoding(old: Option<&Self>, config: &Config) -> &'static Encoding {
        old.map_or_else(|| config.encoding.unwrap_or(UTF_8), |old| old.input().encoding)
    }

    fn begin(old: Option<&Self>, _: &Config, draft: &mut Draft) -> Result<(), ConnectorError> {
        match old {
            Some(old) if old.input().bom > 0 => draft.byte_order_mark(),
            None if [UTF_16LE, UTF_16BE].contains(&draft.encoding) => draft.byte_order_mark(),
            _ => Ok(()),
        }
    }

    fn normal(path: &AttributePath, value: Value, config: &Config) -> Result<Value, ConnectorError> {
        if holds_odd_number(&value) {
            let message = format!("the value of `{path}` has a number that JSON cannot hold exactly");
            return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                .hint("send it as a text")
                .at(path.to_string()));
        }
        let is_reference = config.references.iter().any(|(name, _)| name.eq_ignore_ascii_case(&path.flat_name()));
        Ok(if is_reference { value } else { json::without_references(value) })
    }

    fn print(old: Option<&Self>, record: &Attributes, config: &Config) -> Result<Vec<u8>, ConnectorError> {
        let bare = json::bare(record.clone());
        let mut line = serde_json::to_vec(&bare).map_err(|error| {
            ConnectorError::new(ErrorCode::InvalidValue, format!("a record cannot be written as JSON: {error}"))
        })?;
        let encoding = Self::encoding(old, config);
        if ![UTF_8, UTF_16LE, UTF_16BE].contains(&encoding) {
            line = escape(&line, encoding);
        }
        if line.len() > super::super::lines::most(config) {
            let message = format!("the record has {} bytes, more than a line may have", line.len());
            return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                .hint("map fewer or shorter values, or raise `max_field_bytes`"));
        }
        line.extend_from_slice(old.map_or(b"\n", JsonLines::line_end));
        Ok(line)
    }

    fn parse(text: &[u8], config: &Config) -> Option<Attributes> {
        parse(text, config).ok()
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        use super::super::tree::Items;
        draft.write(self.raw())?;
        draft.write(self.line_end())
    }

    /// A file without any object holds an empty line: one without any byte may have been cut.
    fn finish(_: Option<&Self>, draft: &mut Draft, _: bool) -> Result<(), ConnectorError> {
        if draft.begun { Ok(()) } else { draft.write(b"\n") }
    }

    fn refuse(&self, fault: &RowFault) -> Option<&'static str> {
        match fault.error.code {
            ErrorCode::Unreadable => Some("has no line end, so another program may be writing the file"),
            // What was passed over cannot be copied.
            _ if self.is_passed_over() => Some("is longer than a line may be"),
            _ => None,
        }
    }
}

fn holds_odd_number(value: &Value) -> bool {
    match value {
        Value::Decimal(number) => !number.is_finite(),
        Value::List(values) => values.iter().any(holds_odd_number),
        Value::Complex(attributes) => attributes.iter().any(|(_, value)| holds_odd_number(value)),
        _ => false,
    }
}

/// Characters that an encoding lacks, in JSON's own escapes.
fn escape(line: &[u8], encoding: &'static Encoding) -> Vec<u8> {
    use std::fmt::Write;
    let mut out = String::with_capacity(line.len());
    let mut text = [0; 4];
    for character in String::from_utf8_lossy(line).chars() {
        let one: &str = character.encode_utf8(&mut text);
        let back = encoding.encode(one).0;
        if character.is_ascii() || encoding.decode_without_bom_handling(&back).0 == one {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.into_bytes()
}
