//! Doors for the fuzz targets below `fuzz/`: a record of each notation that is parsed here, read, printed and read again.
//! Each says what does not hold.

use std::path::Path;
use std::sync::Arc;

use provost_connector::Settings;
use provost_model::Attributes;
use serde_json::{Value as Json, json};

use super::config::{self, Config};
use super::fixed::FixedLines;
use super::jsonl::JsonLines;
use super::ldif::LdifContent;
use super::ldif::fold::same_name;
use super::ldif::record::{self, Kind};
use super::write::Notation;

fn config(settings: &Json) -> Result<Arc<Config>, String> {
    let values = settings.as_object().cloned().unwrap_or_default();
    config::read(&Settings::new(values, Path::new("."))).map(Arc::new).map_err(|problems| format!("{problems:?}"))
}

/// What was read is printed and read again as the same, or refused.
fn again<N: Notation>(read: &Attributes, config: &Config) -> Result<(), String> {
    let Ok(text) = N::print(None, read, config) else { return Ok(()) };
    match N::parse(&text, config) {
        Some(back) if back == *read => Ok(()),
        back => Err(format!("{read:?} printed as {text:?} is read as {back:?}")),
    }
}

/// One line of JSON lines.
pub fn json_line(line: &[u8]) -> Result<(), String> {
    let config = config(&json!({"path": "a.jsonl", "key": "id", "write": true}))?;
    match super::jsonl::parse(line, &config) {
        Ok(read) => again::<JsonLines>(&read, &config),
        Err(_) => Ok(()),
    }
}

/// One line of fixed columns.
pub fn fixed_line(line: &[u8]) -> Result<(), String> {
    let config = config(&json!({
        "path": "a.dat", "key": "id", "format": "fixed", "short_lines": true,
        "columns": [{"name": "id", "width": 3}, {"name": "a", "start": 5, "width": 4, "trim": false}, {"name": "b", "width": 2}],
    }))?;
    // A line holds no line ends: the splitter saw to that.
    if line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Ok(());
    }
    let Some(read) = FixedLines::parse(&[line, b"\n"].concat(), &config) else { return Ok(()) };
    let Ok(text) = FixedLines::print(None, &read, &config) else { return Ok(()) };
    // Blanks that a line leaves out at its end are there for a column that keeps its blanks.
    match FixedLines::parse(&text, &config) {
        Some(back) if back.iter().zip(read.iter()).all(|(back, read)| same_but_blanks(back.1, read.1)) => Ok(()),
        back => Err(format!("{read:?} printed as {text:?} is read as {back:?}")),
    }
}

fn same_but_blanks(one: &provost_model::Value, two: &provost_model::Value) -> bool {
    let text = |value: &provost_model::Value| value.as_text().unwrap_or_default().trim_end_matches(' ').to_owned();
    text(one) == text(two)
}

/// One block of LDIF, content or change.
pub fn ldif_block(block: &[u8]) -> Result<(), String> {
    let config = config(&json!({"path": "a.ldif", "write": true, "binary": ["b"], "multi": ["m"]}))?;
    if let Ok(text) = std::str::from_utf8(block) {
        let key = same_name(text);
        if same_name(&key) != key {
            return Err(format!("{text:?} has the name {key:?}, which has another one"));
        }
    }
    let Ok(entry) = record::read(block, &config) else { return Ok(()) };
    let Kind::Content(attributes) = entry.kind else { return Ok(()) };
    let mut all: Attributes = [("dn", entry.dn)].into_iter().collect();
    attributes.into_iter().for_each(|(name, value)| all.push(name, value));
    again::<LdifContent>(&all, &config)
}
