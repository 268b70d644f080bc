//! Operations as edits of cells. What cannot be written exactly fails here, before the file is touched.

use std::collections::HashMap;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{ConnectorError, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Text, Value};

use super::super::cell;
use super::super::config::Config;
use super::super::input::label;
use super::super::table::{Column, push_part};

/// The columns of the new file, and how texts get into it.
pub(super) struct Form<'a> {
    pub config: &'a Config,
    pub columns: Vec<Column>,
    pub keys: Vec<usize>,
    /// Columns the old file has; those beyond are new.
    pub old_width: usize,
    pub delimiter: u8,
    pub encoding: &'static Encoding,
    places: HashMap<Text, usize>,
    /// By the address of a shared path: each is looked up once, not once per person.
    paths: HashMap<usize, usize>,
}

/// One operation, ready for its row.
pub(super) struct Edit {
    pub action: Action,
    pub id: ObjectId,
    cells: Vec<(usize, New)>,
    /// Values that read back otherwise than they were sent.
    changed: Attributes,
}

enum New {
    Text(String),
    Add(Value),
    Remove(Value),
}

/// A row's texts, or none when there is no such row.
pub(super) type Row = Option<Vec<String>>;

impl<'a> Form<'a> {
    pub fn new(
        config: &'a Config,
        columns: Vec<Column>,
        keys: Vec<usize>,
        delimiter: u8,
        encoding: &'static Encoding,
    ) -> Self {
        let mut form = Self {
            config,
            old_width: columns.len(),
            columns: Vec::new(),
            keys,
            delimiter,
            encoding,
            places: HashMap::new(),
            paths: HashMap::new(),
        };
        columns.into_iter().for_each(|column| form.push(column));
        form
    }

    fn push(&mut self, column: Column) {
        if !column.name.is_empty() {
            self.places.insert(column.name.to_ascii_lowercase(), self.columns.len());
        }
        self.columns.push(column);
    }

    /// The column of an attribute, made when there is none.
    pub fn column(&mut self, name: &str) -> Result<usize, ConnectorError> {
        if let Some(at) = self.places.get(&Text::from(name.to_ascii_lowercase())) {
            return Ok(*at);
        }
        let refuse = |message: String, hint: &str| {
            Err(ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(name))
        };
        if !self.config.header {
            let message = format!("{} has no column `{name}`, and no header to name a new one in", self.config.file);
            return refuse(message, "add the name to `columns`, and the column to the file");
        }
        if name.is_empty() || name.trim() != name || name.contains('\0') {
            return refuse(
                format!("`{}` is no name for a column", name.escape_debug()),
                "name the attribute otherwise",
            );
        }
        if self.columns.len() >= super::super::rows::MAX_COLUMNS {
            return refuse(format!("{} has as many columns as it may have", self.config.file), "map fewer attributes");
        }
        let renamed = self.config.rename.iter().find(|(_, attribute)| attribute.eq_ignore_ascii_case(name));
        let header = renamed.map_or_else(|| Text::from(name), |(header, _)| header.clone());
        self.push(Column::new(header, self.config));
        Ok(self.columns.len() - 1)
    }

    fn place(&mut self, path: &Arc<AttributePath>, brings: bool) -> Result<Option<usize>, ConnectorError> {
        let address = Arc::as_ptr(path) as usize;
        if let Some(at) = self.paths.get(&address) {
            return Ok(Some(*at));
        }
        let name = super::super::column_name(path);
        if !brings && !self.places.contains_key(&Text::from(name.to_ascii_lowercase())) {
            return Ok(None);
        }
        let at = self.column(&name)?;
        self.paths.insert(address, at);
        Ok(Some(at))
    }

    /// What an operation does to its row.
    pub fn edit(&mut self, operation: &Operation) -> Result<Edit, ConnectorError> {
        let config = self.config;
        if !config.class.eq_ignore_ascii_case(&operation.class) {
            let message =
                format!("{} holds objects of class `{}`, not `{}`", config.file, config.class, operation.class);
            return Err(ConnectorError::new(ErrorCode::NotSupported, message));
        }
        if operation.if_match.is_some() {
            let message = "the rows of a file have no versions to compare";
            return Err(ConnectorError::new(ErrorCode::NotSupported, message));
        }
        let mut cells = Vec::with_capacity(operation.changes.len() + 1);
        let mut changed = Attributes::new();
        for change in &operation.changes {
            // In a new file each attribute gets its column; in an old one, when there is something to put into it.
            let brings = !change.value.is_unassigned() || self.old_width == 0;
            if let Some(at) = self.place(&change.path, brings && change.op != ChangeOp::Remove)? {
                cells.push((at, self.new_cell(at, change, &mut changed)?));
            }
        }
        self.switch(operation.action, &mut cells)?;
        let id = match (operation.action, &operation.target_id) {
            (Action::Create, _) => self.new_id(&cells)?,
            (_, Some(id)) if !id.is_empty() => id.clone(),
            (action, _) => {
                return Err(ConnectorError::new(ErrorCode::MissingRequired, format!("the {action} names no row")));
            }
        };
        Ok(Edit { action: operation.action, id, cells, changed })
    }

    fn new_cell(&self, at: usize, change: &Change, changed: &mut Attributes) -> Result<New, ConnectorError> {
        Ok(match change.op {
            ChangeOp::Unset => New::Text(String::new()),
            ChangeOp::Add => New::Add(change.value.clone()),
            ChangeOp::Remove => New::Remove(change.value.clone()),
            ChangeOp::Set => {
                let text = self.text(at, &change.value)?;
                let back = cell::read(&text, &self.columns[at], self.config);
                if back != change.value && !change.value.is_unassigned() {
                    changed.set(self.columns[at].name.clone(), back);
                }
                New::Text(text)
            }
        })
    }

    /// Enable, disable and create set the flag that `enabled` names.
    fn switch(&mut self, action: Action, cells: &mut Vec<(usize, New)>) -> Result<(), ConnectorError> {
        let flag = match (&self.config.enabled, action) {
            (_, Action::Update | Action::Delete | Action::Unlink) | (None, Action::Create) => return Ok(()),
            (None, Action::Enable | Action::Disable) => {
                let message = format!("{} has no column that switches an account off", self.config.file);
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("set `enabled: { column: active, on: \"true\", off: \"false\" }`"));
            }
            (Some(enabled), Action::Disable) => (enabled.column.clone(), enabled.off.clone()),
            (Some(enabled), Action::Create | Action::Enable) => (enabled.column.clone(), enabled.on.clone()),
        };
        let at = self.column(&super::super::attribute(self.config, &flag.0))?;
        let given = cells.iter().any(|(place, _)| *place == at);
        if action != Action::Create || !given {
            let text = self.text(at, &flag.1)?;
            cells.retain(|(place, _)| *place != at);
            cells.push((at, New::Text(text)));
        }
        Ok(())
    }

    fn new_id(&self, cells: &[(usize, New)]) -> Result<ObjectId, ConnectorError> {
        let mut id = String::new();
        for key in &self.keys {
            let part = cells.iter().rev().find_map(|(at, new)| match new {
                New::Text(text) if at == key && !text.is_empty() => Some(text.as_str()),
                _ => None,
            });
            let Some(part) = part else {
                let name = &self.columns[*key].name;
                return Err(ConnectorError::new(
                    ErrorCode::MissingRequired,
                    format!("a new row needs its key, `{name}`"),
                )
                .hint(format!("map a value to `{name}`"))
                .at(name.clone()));
            };
            let part = self.config.formulas.read(part);
            match self.keys.len() {
                1 => id.push_str(part),
                _ => push_part(&mut id, part),
            }
        }
        Ok(id.into())
    }

    /// The text of a value, if the file can hold it.
    fn text(&self, at: usize, value: &Value) -> Result<String, ConnectorError> {
        let column = &self.columns[at];
        let text = cell::write(value, column, self.config)?;
        cell::append(&mut Vec::new(), &text, self.delimiter, self.config.quote, &column.name)?;
        let any = [UTF_8, UTF_16LE, UTF_16BE].contains(&self.encoding);
        if !any && self.encoding.encode(&text).2 {
            let message = format!("the value of `{}` has characters that {} lacks", column.name, label(self.encoding));
            return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                .hint("write the file as utf-8, or replace them in the mapping (NormalizeDiacritics)")
                .at(column.name.clone()));
        }
        Ok(text)
    }

    /// Does an edit to a row. The row stays as it was when the edit fails.
    pub fn apply(&self, edit: &Edit, row: &mut Row) -> Result<Done, ConnectorError> {
        let file = &self.config.file;
        let done = Done { target_id: edit.id.clone(), changed: edit.changed.clone(), ..Done::default() };
        let texts = match (edit.action, row.as_ref()) {
            (Action::Create, Some(_)) => {
                let mut error =
                    ConnectorError::new(ErrorCode::AlreadyExists, format!("{file} has a row `{}`", edit.id));
                error.existing_id = Some(edit.id.clone());
                return Err(error.hint("match it instead of creating it"));
            }
            (Action::Create, None) => self.edited(edit, vec![String::new(); self.columns.len()])?,
            (Action::Delete, _) => {
                *row = None;
                return Ok(done);
            }
            (_, None) => {
                return Err(ConnectorError::new(ErrorCode::NotFound, format!("{file} has no row `{}`", edit.id)));
            }
            (_, Some(texts)) => self.edited(edit, texts.clone())?,
        };
        *row = Some(texts);
        Ok(done)
    }

    fn edited(&self, edit: &Edit, mut texts: Vec<String>) -> Result<Vec<String>, ConnectorError> {
        texts.resize(self.columns.len(), String::new());
        for (at, new) in &edit.cells {
            let column = &self.columns[*at];
            let old = if self.config.trim { texts[*at].trim() } else { &texts[*at] };
            let text = match new {
                New::Text(text) => text.clone(),
                New::Add(value) => self.text(*at, &self.joined(*at, old, value, true)?)?,
                New::Remove(value) => self.text(*at, &self.joined(*at, old, value, false)?)?,
            };
            if edit.action != Action::Create && self.keys.contains(at) && text != old {
                let message = format!("`{}` is the key of the row and does not change", column.name);
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("let the mapping write it on create only")
                    .at(column.name.clone()));
            }
            if text != old {
                texts[*at] = text;
            }
        }
        Ok(texts)
    }

    /// The values of a cell with some more, or some less.
    fn joined(&self, at: usize, old: &str, value: &Value, add: bool) -> Result<Value, ConnectorError> {
        let column = &self.columns[at];
        let list = |value: &Value| match value {
            Value::List(values) => values.clone(),
            value if value.is_unassigned() => Vec::new(),
            value => vec![value.clone()],
        };
        let same = |a: &Value, b: &Value| cell::plain(a).is_some() && cell::plain(a) == cell::plain(b);
        let mut values = list(&cell::read(old, column, self.config));
        for value in list(value) {
            match values.iter().position(|have| same(have, &value)) {
                None if add => values.push(value),
                Some(at) if !add => drop(values.remove(at)),
                _ => {}
            }
        }
        if column.separator.is_none() && values.len() > 1 {
            let message = format!("`{}` has a value and holds only one", column.name);
            return Err(ConnectorError::new(ErrorCode::Constraint, message)
                .hint("set the value instead of adding it, or set `multi: { column: separator }`")
                .at(column.name.clone()));
        }
        Ok(Value::List(values))
    }
}
