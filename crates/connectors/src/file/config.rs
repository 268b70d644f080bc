//! The settings of a file connection: from JSON to a checked form. Nothing here opens a file.
//!
//! Each setting is read by itself, so that all problems are reported at once, each with its path.

use std::path::PathBuf;

use encoding_rs::Encoding;
use provost_connector::{SettingProblem, Settings};
use provost_model::{ClassName, Text, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::cell::Formulas;
use super::shape::{Format, Shape};

/// The longest cell that may be configured; a row is held in memory as a whole.
const MAX_FIELD_BYTES: usize = 64 << 20;

/// The checked settings.
#[derive(Debug)]
pub(super) struct Config {
    pub format: Format,
    pub path: PathBuf,
    /// The file's name alone, for places and messages.
    pub file: Text,
    pub class: ClassName,
    /// Header or attribute names; several make a compound id.
    pub key: Vec<Text>,
    pub delimiter: Delimiter,
    pub quote: Option<u8>,
    /// None: the byte order mark decides, else UTF-8.
    pub encoding: Option<&'static Encoding>,
    /// `utf-16` as such: a byte order mark may turn it to big endian.
    pub either_utf16: bool,
    pub header: bool,
    /// The columns of a file without header.
    pub names: Vec<Text>,
    /// Header to attribute.
    pub rename: Vec<(Text, Text)>,
    pub trim: bool,
    /// Beside the empty cell.
    pub null_values: Vec<Text>,
    pub references: Vec<(Text, ClassName)>,
    pub multi: Vec<(Text, Text)>,
    pub max_field_bytes: usize,
    pub final_newline: bool,
    pub enabled: Option<Enabled>,
    pub write: bool,
    pub formulas: Formulas,
    /// Attributes that are lists also where they have one value; of formats that have lists.
    pub lists: Vec<Text>,
    pub shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// Whichever of `,` `;` tab `|` the first line has most of.
    Auto,
    Byte(u8),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabled {
    pub column: Text,
    #[serde(default = "on")]
    pub on: Value,
    #[serde(default = "off")]
    pub off: Value,
}

fn on() -> Value {
    Value::Boolean(true)
}

fn off() -> Value {
    Value::Boolean(false)
}

impl Enabled {
    /// As the format holds it: in formats of texts, a text.
    fn settle(&mut self, format: Format) {
        for value in [&mut self.on, &mut self.off] {
            if !format.has_kinds()
                && let Value::Boolean(flag) = value
            {
                *value = Value::text(if *flag { "true" } else { "false" });
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Text),
    Many(Vec<Text>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Columns {
    Names(Vec<Text>),
    Rename(std::collections::BTreeMap<Text, Text>),
}

/// Reads the settings; every problem, or the checked form.
pub(super) fn read(settings: &Settings) -> Result<Config, Vec<SettingProblem>> {
    let mut form = Form { values: &settings.values, problems: Vec::new() };
    let path: Option<Text> = form.take("path", "the file's path as text");
    if path.as_ref().is_none_or(|path| path.is_empty()) && !form.has_problem("path") {
        form.problem(
            "path",
            "`path` is missing",
            "name the file, relative to the configuration's folder: path: people.csv",
        );
    }
    let path = settings.path(path.as_deref().unwrap_or_default());
    let format = form.format(&path);
    form.refuse_unknown(format);
    let key = match form.take("key", "a column's name or a list of names") {
        Some(OneOrMany::One(name)) => vec![name],
        Some(OneOrMany::Many(names)) => names,
        None if format == Format::Ldif => vec!["dn".into()],
        None => Vec::new(),
    };
    if (key.is_empty() || key.iter().any(|name| name.is_empty())) && !form.has_problem("key") {
        form.problem("key", "`key` is missing", "name the column that identifies a row for good: key: employee_id");
    }
    let delimiter = form.delimiter(&path);
    let quote = form.quote();
    if let (Delimiter::Byte(delimiter), Some(quote)) = (delimiter, quote)
        && delimiter == quote
    {
        form.problem("quote", "`quote` and `delimiter` are the same character", "choose another one of the two");
    }
    let (encoding, either_utf16) = form.encoding();
    let header = form.take("header", "true or false").unwrap_or(format != Format::Fixed);
    let mut shape = form.shape(format);
    let (names, rename) = if format == Format::Fixed { (Vec::new(), Vec::new()) } else { form.columns(header) };
    if format == Format::Xml {
        shape.ways = form.ways(&rename);
    }
    let mut enabled: Option<Enabled> = form.take("enabled", "{ column: …, on: …, off: … }");
    if let Some(enabled) = &mut enabled {
        enabled.settle(format);
        if [&enabled.on, &enabled.off].iter().any(|state| !matches!(state, Value::Text(_) | Value::Boolean(_))) {
            form.problem("enabled", "`enabled.on` and `enabled.off` are texts or true and false", "give two of them");
        }
    }
    if enabled.as_ref().is_some_and(|enabled| enabled.on == enabled.off) {
        form.problem("enabled", "`enabled.on` and `enabled.off` are the same text", "give each state its own text");
    }
    let multi = if format.has_lists() { Vec::new() } else { form.pairs("multi", "a map of column to separator") };
    let lists = if format.has_lists() { form.take("multi", "a list of names") } else { None };
    let write = form.write(&shape, &key);
    let config = Config {
        format,
        file: path.file_name().map(|name| name.to_string_lossy().into()).unwrap_or_default(),
        path,
        class: form.take("class", "a name").unwrap_or_else(|| "person".into()),
        key,
        delimiter,
        quote,
        encoding,
        either_utf16,
        header,
        names,
        rename,
        trim: form.take("trim", "true or false").unwrap_or(false),
        null_values: form.take("null_values", "a list of texts").unwrap_or_default(),
        references: form.pairs("references", "a map of column to class"),
        multi,
        max_field_bytes: form.max_field_bytes(),
        final_newline: form.final_newline(),
        enabled,
        write,
        formulas: form.formulas(write),
        lists: lists.unwrap_or_default(),
        shape,
    };
    form.cross_check(&config);
    if form.problems.is_empty() { Ok(config) } else { Err(form.problems) }
}

/// The nearest of the known names, when it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|have| {
            let lower = have.to_lowercase();
            // In short names one slip weighs more than it should.
            let slip = if strsim::osa_distance(&wanted, &lower) == 1 { 0.9 } else { 0.0 };
            (strsim::jaro_winkler(&wanted, &lower).max(slip), have)
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, have)| have)
}

pub(super) struct Form<'a> {
    pub values: &'a Map<String, Json>,
    pub problems: Vec<SettingProblem>,
}

impl Form<'_> {
    pub fn problem(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(SettingProblem { path: path.into(), message: message.into(), hint: Some(hint.into()) });
    }

    pub fn has_problem(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.path == path)
    }

    fn format(&mut self, path: &std::path::Path) -> Format {
        let word: Option<Text> = self.take("format", "the word for a format");
        let Some(word) = word else { return Format::of_path(path) };
        Format::ALL.into_iter().find(|format| format.word() == word).unwrap_or_else(|| {
            let words = Format::ALL.map(Format::word);
            let hint = match nearest(&word, words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the formats are {}", words.join(", ")),
            };
            self.problem("format", format!("there is no format `{word}`"), hint);
            Format::Csv
        })
    }

    fn refuse_unknown(&mut self, format: Format) {
        let names = format.settings();
        for name in self.values.keys().filter(|name| !names.contains(&name.as_str())) {
            let elsewhere = Format::ALL.into_iter().find(|other| other.settings().contains(&name.as_str()));
            let hint = match (nearest(name, names.iter().copied()), elsewhere) {
                (_, Some(other)) => format!("leave it out; `{name}` is for format: {}", other.word()),
                (Some(near), None) => format!("did you mean `{near}`?"),
                (None, None) => format!("the settings of a file are {}", names[..names.len() - 1].join(", ")),
            };
            let message = match elsewhere {
                Some(_) => format!("`{name}` has no meaning for format: {}", format.word()),
                None => format!("the file connector has no setting `{name}`"),
            };
            self.problems.push(SettingProblem { path: name.as_str().into(), message, hint: Some(hint) });
        }
    }

    pub fn take<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        let json = self.values.get(name).filter(|json| !json.is_null())?;
        T::deserialize(json)
            .map_err(|error| {
                // An untagged enum's own message says nothing to an administrator.
                let message = match error.to_string() {
                    text if text.starts_with("data did not match") => format!("`{name}` has the wrong form"),
                    text => format!("`{name}`: {text}"),
                };
                self.problem(name, message, format!("expected is {expected}"));
            })
            .ok()
    }

    fn pairs<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Vec<(Text, T)> {
        let map: Option<std::collections::BTreeMap<Text, T>> = self.take(name, expected);
        map.unwrap_or_default().into_iter().collect()
    }

    fn delimiter(&mut self, path: &std::path::Path) -> Delimiter {
        let text: Option<Text> = self.take("delimiter", "one character, `tab` or `auto`");
        let tabs =
            path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("tsv") || ext.eq_ignore_ascii_case("tab"));
        match text.as_deref() {
            None => Delimiter::Byte(if tabs { b'\t' } else { b',' }),
            Some("auto") => Delimiter::Auto,
            Some("tab" | "\\t") => Delimiter::Byte(b'\t'),
            Some(text) => match text.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Delimiter::Byte(*byte),
                _ => {
                    let message = format!("`{}` is no delimiter", text.escape_debug());
                    self.problem("delimiter", message, "give one ASCII character, `tab` or `auto`");
                    Delimiter::Auto
                }
            },
        }
    }

    fn quote(&mut self) -> Option<u8> {
        let text: Option<Text> = self.take("quote", "one character or `none`");
        match text.as_deref() {
            None => Some(b'"'),
            Some("none") => None,
            Some(text) => match text.as_bytes() {
                [byte] if byte.is_ascii_graphic() => Some(*byte),
                _ => {
                    let message = format!("`{}` is no quote character", text.escape_debug());
                    self.problem(
                        "quote",
                        message,
                        "give one visible ASCII character, or `none` for files without quoting",
                    );
                    None
                }
            },
        }
    }

    fn encoding(&mut self) -> (Option<&'static Encoding>, bool) {
        let label: Option<Text> = self.take("encoding", "the name of an encoding");
        let Some(label) = label else { return (None, false) };
        match Encoding::for_label_no_replacement(label.as_bytes()) {
            Some(encoding) => (Some(encoding), label.eq_ignore_ascii_case("utf-16")),
            None => {
                let known = [
                    "utf-8",
                    "utf-16",
                    "utf-16le",
                    "utf-16be",
                    "windows-1252",
                    "iso-8859-1",
                    "iso-8859-15",
                    "shift_jis",
                ];
                let hint = match nearest(&label, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "use a name of the WHATWG encoding standard, such as utf-8 or windows-1252".into(),
                };
                self.problem("encoding", format!("the encoding `{label}` is not known"), hint);
                (None, false)
            }
        }
    }

    fn columns(&mut self, header: bool) -> (Vec<Text>, Vec<(Text, Text)>) {
        let columns: Option<Columns> = self.take("columns", "a list of names, or a map of header to attribute");
        match (header, columns) {
            (true, Some(Columns::Rename(map))) => (Vec::new(), map.into_iter().collect()),
            (true, None) => (Vec::new(), Vec::new()),
            (true, Some(Columns::Names(_))) => {
                let hint = "with a header, `columns` renames: { Header: attribute }; without one, add header: false";
                self.problem("columns", "`columns` is a list, but the file has a header", hint);
                (Vec::new(), Vec::new())
            }
            (false, Some(Columns::Names(names))) if !names.is_empty() => (names, Vec::new()),
            (false, _) => {
                if !self.has_problem("columns") {
                    let hint = "list the columns in their order: columns: [employee_id, login]";
                    self.problem("columns", "a file without header needs the names of its columns", hint);
                }
                (Vec::new(), Vec::new())
            }
        }
    }

    fn max_field_bytes(&mut self) -> usize {
        let bytes = self.take("max_field_bytes", "a number of bytes").unwrap_or(64 << 10);
        if bytes == 0 || bytes > MAX_FIELD_BYTES {
            let hint = format!("choose a number from 1 to {MAX_FIELD_BYTES}");
            self.problem("max_field_bytes", format!("`max_field_bytes` is {bytes}"), hint);
        }
        bytes
    }

    /// What is written is escaped unless the settings say otherwise; a source is read as it stands.
    fn formulas(&mut self, write: bool) -> Formulas {
        let word: Option<Text> = self.take("formulas", "`keep`, `escape` or `refuse`");
        let guard: Option<bool> = self.take("formula_guard", "true or false");
        if word.is_some() && guard.is_some() {
            self.problem("formula_guard", "`formula_guard` and `formulas` say the same", "leave `formula_guard` out");
        }
        match (word.as_deref(), guard) {
            (Some("keep"), _) | (None, Some(false)) => Formulas::Keep,
            (Some("escape"), _) => Formulas::Escape,
            (Some("refuse"), _) => Formulas::Refuse,
            (None, Some(true)) => Formulas::EscapeAll,
            (None, None) => {
                if write {
                    Formulas::Escape
                } else {
                    Formulas::Keep
                }
            }
            (Some(other), _) => {
                let message = format!("`formulas` cannot be `{other}`");
                self.problem("formulas", message, "use `keep`, `escape` or `refuse`");
                Formulas::Escape
            }
        }
    }

    fn final_newline(&mut self) -> bool {
        let word: Option<Text> = self.take("final_newline", "`required` or `optional`");
        match word.as_deref() {
            None | Some("required") => true,
            Some("optional") => false,
            Some(other) => {
                self.problem(
                    "final_newline",
                    format!("`final_newline` cannot be `{other}`"),
                    "use `required` or `optional`",
                );
                true
            }
        }
    }

    /// What only shows when the settings are seen together. Columns of a file with a header are checked when it is read.
    fn cross_check(&mut self, config: &Config) {
        if config.multi.iter().any(|(_, separator)| separator.is_empty()) {
            self.problem("multi", "a separator in `multi` is empty", "give the text between two values, such as \";\"");
        }
        if let Some(name) = repeated(&config.key) {
            self.problem("key", format!("`key` names `{name}` twice"), "name each column once");
        }
        if let Some(name) = repeated(&config.names) {
            self.problem("columns", format!("`columns` names `{name}` twice"), "give each column its own name");
        }
        let attributes: Vec<Text> = config.rename.iter().map(|(_, attribute)| attribute.clone()).collect();
        if let Some(name) = repeated(&attributes) {
            self.problem("columns", format!("two columns are renamed to `{name}`"), "give each column its own name");
        }
        self.check_slots(config);
        if config.header || config.names.is_empty() {
            return;
        }
        let used = (config.key.iter().map(|name| ("key", name)))
            .chain(config.references.iter().map(|(name, _)| ("references", name)))
            .chain(config.multi.iter().map(|(name, _)| ("multi", name)))
            .chain(config.enabled.iter().map(|enabled| ("enabled", &enabled.column)));
        let missing: Vec<_> =
            used.filter(|(_, name)| !config.names.iter().any(|have| have.eq_ignore_ascii_case(name))).collect();
        for (setting, name) in missing {
            let hint = match nearest(name, config.names.iter().map(Text::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the columns are {}", config.names.join(", ")),
            };
            self.problem(setting, format!("`columns` has no `{name}`"), hint);
        }
    }
}

pub(super) fn repeated(names: &[Text]) -> Option<&Text> {
    names
        .iter()
        .enumerate()
        .find(|(at, name)| names[..*at].iter().any(|have| have.eq_ignore_ascii_case(name)))
        .map(|(_, n)| n)
}
