//! What the rows mean: the header, the key, and a row as a record or as a fault.

use std::borrow::Cow;
use std::collections::HashMap;

use provost_connector::{ConnectorError, ErrorCode, Retry, Scope};
use provost_model::{AttributePath, Attributes, ClassName, Digest, ObjectId, Record, Text};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

use super::cell;
use super::config::{Config, nearest};
use super::fault::RowFault;
use super::input::{Input, label};
use super::rows::{Cell, DOUBLED, MAX_COLUMNS, Next, OPEN, QUOTED, Rows, TAIL, ZERO};

#[derive(Clone)]
pub(super) struct Column {
    /// As the file has it, blanks around it removed. A column without a name is counted but not read.
    pub header: Text,
    /// The attribute.
    pub name: Text,
    /// The class that its values refer to.
    pub class: Option<ClassName>,
    /// Between several values in a cell.
    pub separator: Option<Text>,
}

pub(super) struct Table {
    pub columns: Vec<Column>,
    /// Places of the key's columns.
    pub keys: Vec<usize>,
    /// Header and settings in the digest of every row: when they change, every row counts as changed.
    seed: u64,
}

/// Opens the file and reads its header.
pub(super) fn open(config: &Config) -> Result<(Rows, Table), ConnectorError> {
    let mut rows = Rows::new(Input::open(config)?, config)?;
    if !config.header {
        let table = Table::new(config, config.names.iter().map(|name| name.as_str().into()).collect(), &rows)?;
        return Ok((rows, table));
    }
    let unreadable = |message: String| ConnectorError::new(ErrorCode::Unreadable, format!("{} {message}", config.file));
    match rows.next(config)? {
        Next::End => {
            return Err(unreadable("has only blank lines, not even a header".into())
                .hint("export it again; a file without people still has its header line"));
        }
        Next::Row if rows.is_open() => {
            return Err(unreadable(format!("has a quote in its header, line {}, that never closes", rows.line))
                .hint("check the `quote` setting and the export"));
        }
        Next::TooLong => return Err(unreadable("has no header of a readable length".into()).hint("is it a text file?")),
        Next::Row if rows.flags & (TAIL | ZERO) != 0 => {
            return Err(unreadable(format!("has a header that cannot be read, line {}", rows.line))
                .hint("a quote inside a quoted name has to be doubled, and NUL bytes have no place in a text file"));
        }
        Next::Row => {}
    }
    if rows.count > MAX_COLUMNS {
        return Err(unreadable(format!("has {} columns, more than {MAX_COLUMNS}", rows.count))
            .hint("export fewer columns, or check `delimiter`"));
    }
    let mut names = Vec::with_capacity(rows.count);
    for (at, cell) in rows.cells().iter().enumerate() {
        let Ok(name) = decode(&rows, *cell) else {
            return Err(unreadable(format!(
                "has a header that is no {}: column {} holds bytes that cannot be decoded",
                label(rows.input.encoding),
                at + 1
            ))
            .hint("set `encoding` to what the export writes; spreadsheets often write windows-1252"));
        };
        names.push(Text::from(name.trim()));
    }
    let table = Table::new(config, names, &rows)?;
    Ok((rows, table))
}

impl Table {
    /// The table below this header.
    pub fn new(config: &Config, header: Vec<Text>, rows: &Rows) -> Result<Self, ConnectorError> {
        let mut table = Self::with_names(config, header)?;
        let shown = Shown { names: &table.columns, delimiter: rows.delimiter };
        let mut keys = Vec::with_capacity(config.key.len());
        for name in &config.key {
            keys.push(table.position(name).ok_or_else(|| shown.missing("key", name, config))?);
        }
        // In a target a column appears when the first value for it does.
        if !config.write {
            let used = (config.references.iter().map(|(name, _)| ("references", name)))
                .chain(config.multi.iter().map(|(name, _)| ("multi", name)))
                .chain(config.rename.iter().map(|(name, _)| ("columns", name)));
            for (setting, name) in used {
                table.position(name).ok_or_else(|| shown.missing(setting, name, config))?;
            }
        }
        table.keys = keys;
        table.seed = table.seed(config, rows);
        Ok(table)
    }

    /// The columns alone, without demanding any of them: also for a file that is yet to be written.
    pub fn with_names(config: &Config, header: Vec<Text>) -> Result<Self, ConnectorError> {
        let mut columns = Vec::with_capacity(header.len());
        let mut places: HashMap<Text, usize> = HashMap::with_capacity(header.len());
        for (at, header) in header.into_iter().enumerate() {
            let column = Column::new(header, config);
            if !column.name.is_empty()
                && let Some(first) = places.insert(column.name.to_ascii_lowercase(), at)
            {
                let message = format!(
                    "{} has two columns named `{}`, columns {} and {}",
                    config.file,
                    column.name,
                    first + 1,
                    at + 1
                );
                return Err(ConnectorError::new(ErrorCode::SchemaChanged, message).hint(
                    "give each column its own name in the export; names that differ in letter case only count as one",
                ));
            }
            columns.push(column);
        }
        Ok(Self { columns, keys: Vec::new(), seed: 0 })
    }

    /// The column of this header or attribute name.
    pub fn position(&self, name: &str) -> Option<usize> {
        let by = |field: fn(&Column) -> &Text| {
            let exact = self.columns.iter().position(|column| field(column) == name && !column.name.is_empty());
            exact.or_else(|| {
                self.columns
                    .iter()
                    .position(|column| field(column).eq_ignore_ascii_case(name) && !column.name.is_empty())
            })
        };
        by(|column| &column.header).or_else(|| by(|column| &column.name))
    }

    /// The column that a path means, and whether it is part of the key.
    pub fn resolve(&self, path: &AttributePath) -> Option<(AttributePath, bool)> {
        let at = self.position(&super::column_name(path))?;
        Some((AttributePath::name(self.columns[at].name.clone()), self.keys.contains(&at)))
    }

    /// The digest of the current row.
    pub fn digest(&self, rows: &Rows) -> Digest {
        Digest(xxh3_128_with_seed(rows.raw(), self.seed))
    }

    /// The id of the current row, if its shape is right; none for a row whose cells are all empty.
    pub fn identify<'r>(&self, rows: &'r Rows, config: &Config) -> Result<Option<Cow<'r, str>>, Box<RowFault>> {
        let bad = rows.flags & (ZERO | TAIL | OPEN) != 0 || rows.longest > config.max_field_bytes;
        if rows.count != self.columns.len() || bad {
            return Err(self.shape_fault(rows, config));
        }
        match self.key(rows, config) {
            Ok(key) => Ok(Some(key)),
            Err(_) if rows.longest == 0 => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The current row as a record; `wanted` tells per column whether it is asked for.
    pub fn record(&self, id: ObjectId, rows: &Rows, wanted: &[bool], config: &Config) -> Result<Record, Box<RowFault>> {
        let mut attributes = Attributes::with_capacity(self.columns.len());
        for (at, ((column, cell), wanted)) in self.columns.iter().zip(rows.cells()).zip(wanted).enumerate() {
            if column.name.is_empty() {
                continue;
            }
            match self.text(rows, *cell, config) {
                Ok(text) if *wanted => attributes.push(column.name.clone(), cell::read(&text, column, config)),
                Ok(_) => {}
                Err(place) => {
                    let fault = self.encoding_fault(rows, at, place);
                    return Err(Box::new(RowFault { id: Some(id), ..fault }));
                }
            }
        }
        let mut record = Record::new(config.class.clone(), id);
        record.attributes = attributes;
        record.raw_digest = Some(self.digest(rows));
        Ok(record)
    }

    /// The text of each cell of the current row, as it stands.
    pub fn texts(&self, rows: &Rows) -> Result<Vec<String>, Box<RowFault>> {
        let texts = rows.cells().iter().enumerate().map(|(at, cell)| match decode(rows, *cell) {
            Ok(text) => Ok(text.into_owned()),
            Err(place) => Err(Box::new(self.encoding_fault(rows, at, place))),
        });
        texts.collect()
    }

    /// A fault about the current row as a whole, with the id where that is beyond doubt.
    pub fn row_fault(&self, rows: &Rows, config: &Config, code: ErrorCode, message: String, hint: &str) -> RowFault {
        let mut error = ConnectorError::new(code, message).scope(Scope::Item).hint(hint);
        error.retry = Retry::WhenChanged;
        RowFault { line: rows.line, column: None, id: self.trusted_id(rows, config), error }
    }

    /// The id of a row of the wrong shape: only when the key is in front, so that no shift has moved it, and when the row
    /// is one line, so that no stray quote has swallowed other rows.
    fn trusted_id(&self, rows: &Rows, config: &Config) -> Option<ObjectId> {
        let in_front = self.keys.iter().all(|key| *key < self.keys.len());
        let clean = |key: &usize| rows.cells().get(*key).is_some_and(|cell| cell.flags & (ZERO | TAIL | OPEN) == 0);
        if !in_front || rows.lines > 0 || rows.count <= self.keys.len() || !self.keys.iter().all(clean) {
            return None;
        }
        self.key(rows, config).ok().map(|key| ObjectId::from(&*key))
    }

    fn shape_fault(&self, rows: &Rows, config: &Config) -> Box<RowFault> {
        let unclear = |cell: &Cell| cell.flags & (ZERO | TAIL) != 0 || cell.len() > config.max_field_bytes;
        if rows.count == self.columns.len()
            && let Some((at, cell)) = rows.cells().iter().enumerate().find(|(_, cell)| unclear(cell))
        {
            let name = self.shown(at);
            let (message, hint) = if cell.flags & TAIL != 0 {
                (
                    format!("`{name}` has text after its closing quote"),
                    "a quote inside a quoted cell has to be doubled".into(),
                )
            } else if cell.flags & ZERO != 0 {
                (format!("`{name}` holds a NUL byte"), "remove it in the export, or check `encoding`".into())
            } else {
                let message = format!("`{name}` has {} bytes, more than {}", cell.len(), config.max_field_bytes);
                (message, "raise `max_field_bytes`, or look for a quote that is not closed on this line".to_owned())
            };
            let mut fault = self.row_fault(rows, config, ErrorCode::InvalidValue, message, &hint);
            // The number of cells is right, so the key is in its place; only a row over several lines may be several rows.
            let broken_key = self.keys.iter().any(|key| unclear(&rows.cells()[*key]));
            if rows.lines == 0 && !broken_key {
                fault.id = self.key(rows, config).ok().map(|key| ObjectId::from(&*key));
            } else if broken_key {
                fault.id = None;
            }
            fault.line += u64::from(cell.lines);
            fault.column = Some(at);
            fault.error = fault.error.at(name);
            return Box::new(fault);
        }
        let (have, want) = (rows.count, self.columns.len());
        let cells = |n: usize| if n == 1 { "1 cell".into() } else { format!("{n} cells") };
        let against = if config.header { "the header has" } else { "`columns` has" };
        let message = format!("the row has {}, {against} {want}", cells(have));
        let hint = if have > want {
            format!("a cell that holds the delimiter `{}` has to be quoted", char::from(rows.delimiter).escape_debug())
        } else {
            "a cell that holds a line break has to be quoted, and empty cells still need their delimiters".into()
        };
        let mut fault = self.row_fault(rows, config, ErrorCode::Unreadable, message, &hint);
        fault.column = Some(have.min(want));
        Box::new(fault)
    }

    fn key<'r>(&self, rows: &'r Rows, config: &Config) -> Result<Cow<'r, str>, Box<RowFault>> {
        let part = |at: usize| -> Result<Cow<'r, str>, Box<RowFault>> {
            let text = rows.cells().get(at).map_or(Ok(Cow::Borrowed("")), |cell| self.text(rows, *cell, config));
            let text = text.map_err(|place| Box::new(self.encoding_fault(rows, at, place)))?;
            if cell::is_null(&text, config) {
                let name = self.shown(at);
                let mut error =
                    ConnectorError::new(ErrorCode::MissingRequired, format!("the key column `{name}` is empty"))
                        .hint("every row needs its key; remove the row, or fill it in")
                        .at(name);
                error.retry = Retry::WhenChanged;
                let lines = rows.cells().get(at).map_or(0, |cell| cell.lines);
                return Err(Box::new(RowFault {
                    line: rows.line + u64::from(lines),
                    column: Some(at),
                    id: None,
                    error,
                }));
            }
            Ok(match text {
                Cow::Borrowed(text) => Cow::Borrowed(config.formulas.read(text)),
                Cow::Owned(text) => Cow::Owned(config.formulas.read(&text).to_owned()),
            })
        };
        if let [key] = self.keys[..] {
            return part(key);
        }
        let mut id = String::new();
        for key in &self.keys {
            push_part(&mut id, &part(*key)?);
        }
        Ok(Cow::Owned(id))
    }

    /// A cell's text as it means something; an error is the place of the first bad byte.
    fn text<'r>(&self, rows: &'r Rows, cell: Cell, config: &Config) -> Result<Cow<'r, str>, usize> {
        let text = decode(rows, cell)?;
        Ok(match text {
            Cow::Borrowed(text) if config.trim => Cow::Borrowed(text.trim()),
            Cow::Owned(text) if config.trim => Cow::Owned(text.trim().to_owned()),
            text => text,
        })
    }

    fn encoding_fault(&self, rows: &Rows, at: usize, place: usize) -> RowFault {
        let name = self.shown(at);
        let encoding = label(rows.input.encoding);
        let message = format!("`{name}` holds bytes that are no {encoding}, from byte {} of the cell on", place + 1);
        let mut error = ConnectorError::new(ErrorCode::InvalidValue, message)
            .hint("set `encoding` to what the export writes; spreadsheets often write windows-1252")
            .at(name);
        error.retry = Retry::WhenChanged;
        let lines = rows.cells().get(at).map_or(0, |cell| cell.lines);
        RowFault { line: rows.line + u64::from(lines), column: Some(at), id: None, error }
    }

    fn shown(&self, at: usize) -> Text {
        match self.columns.get(at) {
            Some(column) if !column.name.is_empty() => column.name.clone(),
            _ => Text::from(format!("column {}", at + 1)),
        }
    }

    fn seed(&self, config: &Config, rows: &Rows) -> u64 {
        let mut state = Xxh3::new();
        let mut feed = |text: &str| {
            state.update(&(text.len() as u64).to_le_bytes());
            state.update(text.as_bytes());
        };
        for column in &self.columns {
            feed(&column.header);
            feed(&column.name);
            feed(column.class.as_deref().unwrap_or_default());
            feed(column.separator.as_deref().unwrap_or_default());
        }
        self.keys.iter().for_each(|key| feed(&key.to_string()));
        config.null_values.iter().for_each(|null| feed(null));
        feed(&format!("{:?} {:?} {} {}", rows.delimiter, rows.quote, config.trim, config.formulas.is_escaped()));
        state.digest()
    }
}

impl Column {
    pub fn new(header: Text, config: &Config) -> Self {
        let renamed = config.rename.iter().find(|(from, _)| from.eq_ignore_ascii_case(&header));
        let name = renamed.map_or_else(|| header.clone(), |(_, to)| to.clone());
        let is =
            |have: &Text| !name.is_empty() && (have.eq_ignore_ascii_case(&header) || have.eq_ignore_ascii_case(&name));
        let class = config.references.iter().find(|(column, _)| is(column)).map(|(_, class)| class.clone());
        let separator = config.multi.iter().find(|(column, _)| is(column)).map(|(_, separator)| separator.clone());
        Self { header, name, class, separator }
    }
}

/// Appends one part of a compound id: `|` between parts, `\` in front of a `|` or `\` that belongs to a part.
pub(super) fn push_part(id: &mut String, part: &str) {
    if !id.is_empty() {
        id.push('|');
    }
    for character in part.chars() {
        if matches!(character, '|' | '\\') {
            id.push('\\');
        }
        id.push(character);
    }
}

fn decode(rows: &Rows, cell: Cell) -> Result<Cow<'_, str>, usize> {
    let text = std::str::from_utf8(rows.bytes(cell)).map_err(|error| error.valid_up_to())?;
    Ok(match rows.quote {
        Some(quote) if cell.flags & (QUOTED | DOUBLED) == QUOTED | DOUBLED => {
            let one = char::from(quote).to_string();
            Cow::Owned(text.replace(&one.repeat(2), &one))
        }
        _ => Cow::Borrowed(text),
    })
}

/// The header, for messages.
struct Shown<'a> {
    names: &'a [Column],
    delimiter: u8,
}

impl Shown<'_> {
    fn missing(&self, setting: &str, name: &str, config: &Config) -> ConnectorError {
        let mut found: Vec<&str> = self.names.iter().map(|column| column.header.as_str()).take(20).collect();
        if self.names.len() > 20 {
            found.push("…");
        }
        let other = [b',', b';', b'\t', b'|'].into_iter().find(|byte| {
            *byte != self.delimiter && self.names.len() == 1 && self.names[0].header.contains(char::from(*byte))
        });
        let names = self.names.iter().map(|column| column.header.as_str()).filter(|name| !name.is_empty());
        let hint = match (other, nearest(name, names)) {
            (Some(b'\t'), _) => "the header seems to be separated by tabs: set delimiter: tab".into(),
            (Some(other), _) => {
                let other = char::from(other);
                format!("the header seems to be separated by `{other}`: set delimiter: \"{other}\"")
            }
            (None, Some(near)) => format!("did you mean `{near}`? change `{setting}`, or bring the column back"),
            (None, None) => format!("bring the column back, or change `{setting}`"),
        };
        let message = format!("{} has no column `{name}`; its header is {}", config.file, found.join(", "));
        ConnectorError::new(ErrorCode::SchemaChanged, message).hint(hint).at(setting)
    }
}
