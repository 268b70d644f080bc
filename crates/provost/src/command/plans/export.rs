//! A plan as a file: for a spreadsheet, for a program, for somebody who reads and approves it.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use provost_store::Store;

use super::{Operations, filter, find, log, page, sheet, summary};
use crate::cli::{PlanFormat, PlansExportArgs};
use crate::error::{Exit, Result};
use crate::output::Output;
use crate::problem::{Problem, shown};

pub async fn run(store: &Store, args: &PlansExportArgs, output: Output) -> Result<Exit> {
    let row = find(store, &args.plan).await?;
    let filter = filter(args.filter.as_deref())?;
    let plan = summary(store, row).await?;
    let out: Box<dyn Write> = match &args.to {
        Some(path) => Box::new(File::create(path).map_err(|error| {
            Problem::new("PRV-0704", format!("cannot write `{}`: {error}", shown(path)))
                .hint("name another file with --to")
        })?),
        None => Box::new(io::stdout().lock()),
    };
    let mut out = BufWriter::new(out);
    let mut operations = Operations::of(store, &args.plan);
    let mut writer: Box<dyn Format> = match args.format {
        PlanFormat::Csv => Box::new(sheet::Sheet),
        PlanFormat::Html => Box::new(page::Page),
        PlanFormat::Json => Box::new(Document::default()),
    };
    writer.head(&mut out, &plan)?;
    while let Some(event) = operations.next().await? {
        if filter.as_ref().is_none_or(|filter| filter.matches(&log::record(&event))) {
            writer.operation(&mut out, event)?;
        }
    }
    writer.tail(&mut out)?;
    out.flush()?;
    if let Some(path) = &args.to {
        output.note(format_args!("{} is in {}", args.plan, shown(path)));
    }
    Ok(Exit::Done)
}

/// A form that is written operation by operation: a plan may be long.
pub trait Format {
    fn head(&mut self, out: &mut dyn Write, plan: &super::Summary) -> Result<()>;
    fn operation(&mut self, out: &mut dyn Write, event: provost_store::EventRow) -> Result<()>;
    fn tail(&mut self, out: &mut dyn Write) -> Result<()>;
}

/// The summary with its operations as one JSON document.
#[derive(Default)]
struct Document {
    some: bool,
}

impl Format for Document {
    fn head(&mut self, out: &mut dyn Write, plan: &super::Summary) -> Result<()> {
        write!(out, "{{\"summary\":")?;
        serde_json::to_writer(&mut *out, plan)?;
        Ok(write!(out, ",\"operations\":[")?)
    }

    fn operation(&mut self, out: &mut dyn Write, event: provost_store::EventRow) -> Result<()> {
        let comma = if std::mem::replace(&mut self.some, true) { "," } else { "" };
        writeln!(out, "{comma}")?;
        Ok(serde_json::to_writer(out, &log::Event::from(event))?)
    }

    fn tail(&mut self, out: &mut dyn Write) -> Result<()> {
        Ok(writeln!(out, "\n]}}")?)
    }
}
