//! A plan for a spreadsheet: one line per attribute that changes.

use std::io::Write;

use provost_store::EventRow;

use super::export::Format;
use super::log::Event;
use crate::command::trace::whole;
use crate::error::Result;

const HEAD: [&str; 10] =
    ["action", "class", "name", "source_id", "target_id", "reason", "attribute", "change", "before", "after"];

pub struct Sheet;

impl Format for Sheet {
    fn head(&mut self, out: &mut dyn Write, _: &super::Summary) -> Result<()> {
        line(out, &HEAD.map(str::to_owned))
    }

    fn operation(&mut self, out: &mut dyn Write, event: EventRow) -> Result<()> {
        let changes = Event::changes_of(&event);
        let object = [
            event.action.to_string(),
            event.class.to_string(),
            event.name,
            event.source_id.to_string(),
            event.target_id.map(|id| id.to_string()).unwrap_or_default(),
            event.reason,
        ];
        let with = |change: [String; 4]| object.iter().cloned().chain(change).collect::<Vec<_>>();
        if changes.is_empty() {
            line(out, &with(Default::default()))?;
        }
        for change in changes {
            let op = if change.op.is_empty() { "set".to_owned() } else { change.op.to_string() };
            line(out, &with([change.path, op, whole(change.before.as_ref()), whole(change.after.as_ref())]))?;
        }
        Ok(())
    }

    fn tail(&mut self, _: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}

fn line(out: &mut dyn Write, cells: &[String]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(cells.iter().map(|cell| harmless(cell)));
    let bytes =
        written.map_err(std::io::Error::other).and_then(|()| writer.into_inner().map_err(|e| e.into_error()))?;
    Ok(out.write_all(&bytes)?)
}

/// A spreadsheet takes a cell that begins like this for a formula and runs it; people's names come from outside.
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, want) in [("=1+1", "'=1+1"), ("@x", "'@x"), ("+41 79", "'+41 79"), ("Ada", "Ada"), ("", "")] {
            assert_eq!(harmless(cell), want);
        }
        let mut out = Vec::new();
        line(&mut out, &["a\"b".to_owned(), "c,d".to_owned()]).unwrap();
        assert_eq!(out, b"\"a\"\"b\",\"c,d\"\n");
    }
}
