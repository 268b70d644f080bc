//! Everything that is printed goes through here: data to stdout, all else to stderr, colour only where somebody looks.
//!
//! Nothing here decides what is printed. Tables are in `table`, errors in `render`, progress of long work in `bar`.

mod bar;
mod render;
mod table;

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StderrLock, StdoutLock, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::error::Result;
use crate::problem::Problem;

pub use bar::Watch;
pub use table::{Table, duration, number, time};

/// When texts are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// How a piece of text looks where colour is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
}

/// What a command prints with.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    out_color: bool,
    err_color: bool,
}

impl Output {
    pub fn new(json: bool, color: Color) -> Self {
        let wanted = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        Self { json, out_color: wanted(io::stdout().is_terminal()), err_color: wanted(io::stderr().is_terminal()) }
    }

    /// Whether diagnostics are coloured, for the log.
    pub fn colors_errors(self) -> bool {
        self.err_color
    }

    /// A writer for data. Flush it, or drop what was not written.
    pub fn data(self) -> Data {
        Data { out: BufWriter::with_capacity(64 << 10, io::stdout().lock()), color: self.out_color }
    }

    /// One JSON document.
    pub fn json<T: Serialize + ?Sized>(self, document: &T) -> Result<()> {
        let mut data = self.data();
        serde_json::to_writer_pretty(&mut data.out, document)?;
        data.line("")?;
        data.end()
    }

    /// One line of diagnostics.
    pub fn note(self, text: impl Display) {
        // A diagnostic that cannot be written is nobody's concern: there is no place left to say so.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// `hint: …` beside something that is no error.
    pub fn hint(self, text: impl Display) {
        let word = paint(self.err_color, Style::Blue, "hint:");
        self.note(format_args!("{word} {text}"));
    }

    /// A problem, with its place.
    pub fn problem(self, problem: &Problem) {
        let mut err: StderrLock<'_> = io::stderr().lock();
        let _ = render::problem(&mut err, problem, self.err_color);
    }
}

/// Where data goes.
pub struct Data {
    out: BufWriter<StdoutLock<'static>>,
    color: bool,
}

impl Data {
    pub fn line(&mut self, text: impl Display) -> Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// One line of NDJSON.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        Ok(self.out.write_all(b"\n")?)
    }

    pub fn table(&mut self, table: Table) -> Result<()> {
        let color = self.color;
        self.line(table.print(color))
    }

    /// The text in this style, where data is coloured.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        paint(self.color, style, text)
    }

    /// For streams: what was written is seen at once.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    pub fn end(mut self) -> Result<()> {
        self.flush()
    }
}

fn paint(color: bool, style: Style, text: impl Display) -> String {
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Red => "1;31",
        Style::Green => "32",
        Style::Yellow => "33",
        Style::Blue => "34",
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}
