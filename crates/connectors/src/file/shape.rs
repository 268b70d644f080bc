//! The formats of a file, and the settings that only some of them have.

use std::path::Path;

use super::config::Form;

/// How the records are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Jsonl,
}

/// Settings that every format has.
const COMMON: [&str; 11] = [
    "path",
    "class",
    "key",
    "format",
    "references",
    "max_field_bytes",
    "enabled",
    "write",
    "columns",
    "final_newline",
    // Says which connector this is; harmless when it is handed on.
    "connector",
];

impl Format {
    pub const ALL: [Format; 2] = [Format::Csv, Format::Jsonl];

    /// The word of the setting.
    pub fn word(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Format::Csv => "delimited text file",
            Format::Jsonl => "file of JSON lines",
        }
    }

    /// The format that a file's name tells; delimited text where it tells none.
    pub fn of_path(path: &Path) -> Self {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("jsonl" | "ndjson") => Format::Jsonl,
            _ => Format::Csv,
        }
    }

    /// The settings that have a meaning here.
    pub fn settings(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Format::Csv => {
                &["delimiter", "quote", "encoding", "header", "trim", "null_values", "multi", "formula_guard"]
            }
            Format::Jsonl => &["encoding"],
        };
        // `connector` comes last: nobody is told of it.
        COMMON[..COMMON.len() - 1].iter().chain(own).chain(COMMON.last()).copied().collect()
    }

    /// Whether a record is a tree of values; otherwise it is a row of cells.
    pub fn is_tree(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// Whether values have kinds, or are all texts.
    pub fn has_kinds(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// Whether an attribute may have several values without a separator in a text.
    pub fn has_lists(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// What an empty file lacks, and what to do about it.
    pub fn empty(self) -> (&'static str, &'static str) {
        match self {
            Format::Csv => (", not even a header", "export it again; a file without people still has its header line"),
            Format::Jsonl => ("", "export it again; a file without people has to hold at least an empty line"),
        }
    }

    /// Whether a guess from a file's first bytes is what this format looks like.
    pub fn looks_like(self, guess: &str) -> bool {
        matches!((self, guess), (Format::Jsonl, "JSON"))
    }
}

/// Settings of some formats.
#[derive(Debug, Default)]
pub(super) struct Shape {}

impl Form<'_> {
    pub fn shape(&mut self, _format: Format) -> Shape {
        Shape {}
    }
}
