//! The formats of a file, and the settings that only some of them have.

use std::path::Path;

use provost_model::Text;
use serde::Deserialize;

use super::config::{Config, Form, nearest, repeated};
use super::fixed::Slot;
use super::xml::Way;

/// How the records are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    /// Columns of a fixed width.
    Fixed,
    Jsonl,
    Ldif,
    Xml,
    Xlsx,
    Ods,
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
    pub const ALL: [Format; 7] =
        [Format::Csv, Format::Fixed, Format::Jsonl, Format::Ldif, Format::Xml, Format::Xlsx, Format::Ods];

    /// The word of the setting.
    pub fn word(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Fixed => "fixed",
            Format::Jsonl => "jsonl",
            Format::Ldif => "ldif",
            Format::Xml => "xml",
            Format::Xlsx => "xlsx",
            Format::Ods => "ods",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Format::Csv => "delimited text file",
            Format::Fixed => "file of fixed columns",
            Format::Jsonl => "file of JSON lines",
            Format::Ldif => "LDIF file",
            Format::Xml => "XML document",
            Format::Xlsx => "Excel workbook",
            Format::Ods => "OpenDocument spreadsheet",
        }
    }

    /// The format that a file's name tells; delimited text where it tells none.
    pub fn of_path(path: &Path) -> Self {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("ldif" | "ldi") => Format::Ldif,
            Some("xml") => Format::Xml,
            Some("xlsx" | "xlsm") => Format::Xlsx,
            Some("ods") => Format::Ods,
            _ => Format::Csv,
        }
    }

    /// The settings that have a meaning here.
    pub fn settings(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Format::Csv => &[
                "delimiter",
                "quote",
                "encoding",
                "header",
                "trim",
                "null_values",
                "multi",
                "formulas",
                "formula_guard",
            ],
            Format::Fixed => &["encoding", "header", "null_values", "short_lines"],
            Format::Jsonl => &["encoding", "multi"],
            Format::Xlsx | Format::Ods => &["sheet", "multi", "trim", "null_values"],
            Format::Xml => &["encoding", "record", "multi", "trim", "null_values"],
            Format::Ldif => &["multi", "binary", "object_class", "records"],
        };
        let is_common = |name: &&&str| self.is_written() || !matches!(**name, "write" | "enabled" | "final_newline");
        // `connector` comes last: nobody is told of it.
        COMMON[..COMMON.len() - 1].iter().filter(is_common).chain(own).chain(COMMON.last()).copied().collect()
    }

    /// Whether files of the format can be targets.
    pub fn is_written(self) -> bool {
        !matches!(self, Format::Xml | Format::Xlsx | Format::Ods)
    }

    /// Whether `columns` renames what the notation gives.
    pub fn is_renamed(self) -> bool {
        self.is_written()
    }

    /// Whether a file is bytes and no text.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Xlsx | Format::Ods)
    }

    /// Whether a record is a tree of values; otherwise it is a row of cells.
    pub fn is_tree(self) -> bool {
        self != Format::Csv
    }

    /// Whether values are in values. Otherwise a name with dots is a name with dots.
    pub fn is_nested(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// Whether values have kinds, or are all texts.
    pub fn has_kinds(self) -> bool {
        matches!(self, Format::Jsonl)
    }

    /// Whether an attribute may have several values without a separator in a text.
    pub fn has_lists(self) -> bool {
        matches!(self, Format::Jsonl | Format::Ldif | Format::Xml)
    }

    /// What an empty file lacks, and what to do about it.
    pub fn empty(self) -> (&'static str, &'static str) {
        match self {
            Format::Csv => (", not even a header", "export it again; a file without people still has its header line"),
            Format::Xlsx | Format::Ods => ("", "export it again; a sheet without people still has its header row"),
            Format::Xml => ("", "export it again; a document without people still has its root element"),
            Format::Ldif => ("", "export it again; a file without entries has to hold at least an empty line"),
            Format::Fixed | Format::Jsonl => {
                ("", "export it again; a file without people has to hold at least an empty line")
            }
        }
    }

    /// Whether a guess from a file's first bytes is what this format looks like.
    pub fn looks_like(self, guess: &str) -> bool {
        matches!((self, guess), (Format::Jsonl, "JSON") | (Format::Xml, "XML"))
    }
}

/// Settings of some formats.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Fixed: the columns.
    pub slots: Vec<Slot>,
    /// Fixed: blanks may be missing at the ends of lines.
    pub short_lines: bool,
    /// LDIF: attributes whose values are bytes, held as base64.
    pub binary: Vec<Text>,
    /// LDIF: the object class of the objects; others in the file are passed over.
    pub object_class: Option<Text>,
    /// LDIF: the file holds changes, which are read as a feed.
    pub changes: bool,
    /// LDIF: operations are written as changes.
    pub write_changes: bool,
    /// XML: the elements on the way from the root to a record.
    pub record: Vec<Text>,
    /// XML: where the values are, beside `rename`.
    pub ways: Vec<Way>,
    /// Spreadsheets: the sheet; the first one without.
    pub sheet: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotForm {
    name: Text,
    /// From 1; where the one before ends, if not given.
    start: Option<usize>,
    width: usize,
    #[serde(default = "yes")]
    trim: bool,
}

fn yes() -> bool {
    true
}

/// Where the last column may end.
const MAX_WIDTH: usize = 1 << 20;

impl Form<'_> {
    pub fn shape(&mut self, format: Format) -> Shape {
        let mut shape = Shape::default();
        if format == Format::Fixed {
            shape.slots = self.slots();
            shape.short_lines = self.take("short_lines", "true or false").unwrap_or(false);
        }
        if format == Format::Ldif {
            shape.binary = self.take("binary", "a list of names").unwrap_or_default();
            shape.object_class = self.take("object_class", "the name of an object class");
            let records: Option<Text> = self.take("records", "`content` or `changes`");
            shape.write_changes = self.values.get("write").is_some_and(|write| write == "changes");
            shape.changes = match records.as_deref() {
                None => shape.write_changes,
                Some("changes") => true,
                Some("content") if !shape.write_changes => false,
                Some(other) => {
                    let hint = "use `content` or `changes`; a file that changes are written to holds changes";
                    self.problem("records", format!("`records` cannot be `{other}` here"), hint);
                    false
                }
            };
        }
        if format.is_binary() {
            shape.sheet = self.take("sheet", "the name of a sheet");
        }
        if format == Format::Xml {
            let path: Option<Text> = self.take("record", "a path such as people/person");
            let path = path.unwrap_or_default();
            let way = Way::parse(path.strip_prefix('/').unwrap_or(&path));
            shape.record = way.filter(|way| way.attribute.is_none()).map(|way| way.elements).unwrap_or_default();
            if shape.record.is_empty() && !self.has_problem("record") {
                let hint = "name the elements from the root: record: people/person";
                self.problem("record", "`record` has to be the path of the records' elements", hint);
            }
        }
        shape
    }

    /// The ways of an XML file, from the paths in `columns`.
    pub fn ways(&mut self, rename: &[(Text, Text)]) -> Vec<Way> {
        if rename.is_empty() && !self.has_problem("columns") {
            let hint = "give a map of path to attribute: { \"@no\": id, \"name/first\": first_name }";
            self.problem("columns", "an XML file needs `columns`", hint);
        }
        let mut ways = Vec::with_capacity(rename.len());
        for (path, _) in rename {
            match Way::parse(path) {
                Some(way) => ways.push(way),
                None => {
                    let hint = "a path is element/element, element/@attribute, @attribute or `.`, without prefixes";
                    self.problem("columns", format!("`{}` is no path", path.escape_debug()), hint);
                }
            }
        }
        ways
    }

    /// The `write` setting: whether the file is a target.
    pub fn write(&mut self, shape: &Shape, key: &[Text]) -> bool {
        if !shape.write_changes {
            let write = self.take("write", "true or false").unwrap_or(false);
            if write && shape.changes {
                self.problem("write", "a file of changes is not written as content", "set write: changes");
            }
            return write;
        }
        if key.len() != 1 || !key[0].eq_ignore_ascii_case("dn") {
            self.problem("key", "changes name their entry by `dn`", "leave `key` out, or set key: dn");
        }
        true
    }

    fn slots(&mut self) -> Vec<Slot> {
        let expected = "a list of columns: [{ name: id, start: 1, width: 8 }, …]";
        let forms: Option<Vec<SlotForm>> = self.take("columns", expected);
        let forms = forms.unwrap_or_default();
        if forms.is_empty() && !self.has_problem("columns") {
            self.problem("columns", "a file of fixed columns needs `columns`", format!("give {expected}"));
        }
        let mut next = 0;
        let mut slots: Vec<Slot> = Vec::with_capacity(forms.len());
        for form in forms {
            let start = form.start.map_or(Some(next), |start| start.checked_sub(1));
            let end = start.and_then(|start| start.checked_add(form.width)).filter(|end| *end <= MAX_WIDTH);
            let (Some(start), Some(end)) = (start, end.filter(|_| form.width > 0 && !form.name.is_empty())) else {
                let message = format!("the column `{}` has no place: name, start from 1, width from 1", form.name);
                self.problem("columns", message, format!("columns end at {MAX_WIDTH} characters at the latest"));
                continue;
            };
            next = end;
            slots.push(Slot { name: form.name, start, width: form.width, trim: form.trim });
        }
        slots
    }

    /// What the columns of a fixed width have to be together.
    pub fn check_slots(&mut self, config: &Config) {
        if !matches!(config.format, Format::Fixed | Format::Xml) || self.has_problem("columns") {
            return;
        }
        let slots = &config.shape.slots;
        let names: Vec<Text> = match config.format {
            Format::Xml => config.rename.iter().map(|(_, name)| name.clone()).collect(),
            _ => slots.iter().map(|slot| slot.name.clone()).collect(),
        };
        if let Some(name) = repeated(&names) {
            self.problem("columns", format!("`columns` names `{name}` twice"), "give each column its own name");
        }
        let mut by_start: Vec<&Slot> = slots.iter().collect();
        by_start.sort_by_key(|slot| slot.start);
        let overlap = by_start.windows(2).find(|pair| pair[0].start + pair[0].width > pair[1].start);
        if let Some([one, two]) = overlap.filter(|_| config.write) {
            let message = format!("the columns `{}` and `{}` overlap", one.name, two.name);
            self.problem("columns", message, "in a file that is written each column has a place of its own");
        }
        let used = (config.key.iter().map(|name| ("key", name)))
            .chain(config.references.iter().map(|(name, _)| ("references", name)))
            .chain(config.enabled.iter().map(|enabled| ("enabled", &enabled.column)));
        for (setting, name) in used {
            if !names.iter().any(|have| have.eq_ignore_ascii_case(name)) {
                let hint = match nearest(name, names.iter().map(Text::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the columns are {}", names.join(", ")),
                };
                self.problem(setting, format!("`columns` has no `{name}`"), hint);
            }
        }
    }
}
