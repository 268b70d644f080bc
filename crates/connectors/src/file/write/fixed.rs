//! Columns of a fixed width, written: what no column covers stays as it is in a line that is edited.

use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{AttributePath, Attributes, Value};

use super::super::cell;
use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::fixed::{FixedLines, Slot, parse, width};
use super::super::input::label;
use super::super::tree::Items;
use super::draft::Draft;
use super::tree::Notation;

impl Notation for FixedLines {
    fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        FixedLines::open(config)
    }

    fn encoding(old: Option<&Self>, config: &Config) -> &'static Encoding {
        old.map_or_else(|| config.encoding.unwrap_or(UTF_8), |old| old.input().encoding)
    }

    fn begin(old: Option<&Self>, config: &Config, draft: &mut Draft) -> Result<(), ConnectorError> {
        match old {
            Some(old) if old.input().bom > 0 => draft.byte_order_mark()?,
            None if [UTF_16LE, UTF_16BE].contains(&draft.encoding) => draft.byte_order_mark()?,
            _ => {}
        }
        if old.is_some() || !config.header {
            return Ok(());
        }
        let mut line = vec![' '; width(config)];
        for slot in &config.shape.slots {
            let room = line[slot.start..slot.start + slot.width].iter_mut();
            room.zip(slot.name.chars()).for_each(|(place, character)| *place = character);
        }
        let line: String = line.into_iter().chain(['\n']).collect();
        draft.write(line.as_bytes())
    }

    fn normal(path: &AttributePath, value: Value, config: &Config) -> Result<Value, ConnectorError> {
        let refuse = |message: String, hint: &str| {
            Err(ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(path.name.clone()))
        };
        let Some(slot) = slot(&path.name, config) else {
            let message = format!("{} has no column `{}`", config.file, path.name);
            return refuse(message, "add it to `columns` with its place and width");
        };
        if value.is_unassigned() {
            return Ok(Value::Null);
        }
        let Some(text) = cell::plain(&value) else {
            let message = format!("column `{}` cannot hold a {} value", slot.name, value.kind());
            return refuse(message, "map one single value");
        };
        let is_reference = config.references.iter().any(|(name, _)| name.eq_ignore_ascii_case(&slot.name));
        Ok(if is_reference && value.as_reference().is_some() { value } else { Value::text(text.into_owned()) })
    }

    fn settle(record: &mut Attributes, config: &Config) {
        for slot in &config.shape.slots {
            record.entry(&slot.name, || Value::Null);
        }
    }

    fn print(old: Option<&Self>, record: &Attributes, config: &Config) -> Result<Vec<u8>, ConnectorError> {
        let encoding = Self::encoding(old, config);
        let under = old.map(|old| String::from_utf8_lossy(old.raw()).into_owned()).unwrap_or_default();
        let mut line: Vec<char> = under.chars().collect();
        line.resize(line.len().max(width(config)), ' ');
        for slot in &config.shape.slots {
            let text = record.find(&slot.name).and_then(cell::plain).unwrap_or_default();
            let refuse = |message: String, hint: &str| {
                Err(ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(slot.name.clone()))
            };
            let wide = text.chars().count();
            if wide > slot.width {
                let message = format!("the value of `{}` has {wide} characters, more than {}", slot.name, slot.width);
                return refuse(message, "shorten the value in the mapping, or widen the column");
            }
            let any = [UTF_8, UTF_16LE, UTF_16BE].contains(&encoding);
            if !any && encoding.encode(&text).2 {
                let message = format!("the value of `{}` has characters that {} lacks", slot.name, label(encoding));
                return refuse(
                    message,
                    "write the file as utf-8, or replace them in the mapping (NormalizeDiacritics)",
                );
            }
            let mut characters = text.chars();
            line[slot.start..slot.start + slot.width]
                .iter_mut()
                .for_each(|place| *place = characters.next().unwrap_or(' '));
        }
        let mut line: String = line.into_iter().collect();
        if config.shape.short_lines {
            line.truncate(line.trim_end_matches(' ').len());
        }
        let mut line = line.into_bytes();
        line.extend_from_slice(old.map_or(b"\n", FixedLines::line_end));
        Ok(line)
    }

    fn parse(text: &[u8], config: &Config) -> Option<Attributes> {
        let line = text.strip_suffix(b"\n")?;
        let is_one = !line.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
        if is_one { parse(line, config).ok() } else { None }
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        draft.write(self.raw())?;
        draft.write(self.line_end())
    }

    fn finish(_: Option<&Self>, draft: &mut Draft, _: bool) -> Result<(), ConnectorError> {
        if draft.begun { Ok(()) } else { draft.write(b"\n") }
    }

    fn refuse(&self, fault: &RowFault) -> Option<&'static str> {
        match fault.error.code {
            _ if self.is_passed_over() => Some("is longer than a line may be"),
            ErrorCode::Unreadable if self.is_cut() => {
                Some("has no line end, so another program may be writing the file")
            }
            _ => None,
        }
    }
}

fn slot<'c>(name: &str, config: &'c Config) -> Option<&'c Slot> {
    config.shape.slots.iter().find(|slot| slot.name.eq_ignore_ascii_case(name))
}
