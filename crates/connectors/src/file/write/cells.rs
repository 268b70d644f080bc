//! Rows of cells as a [`Writer`]: the header and its new columns, rows copied with cells for those.

use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use provost_connector::{ConnectorError, Done};
use provost_model::{ObjectId, Operation, Text};

use super::super::cell;
use super::super::config::{Config, Delimiter};
use super::super::fault::RowFault;
use super::super::rows::{Next, Rows};
use super::super::table::{self, Table};
use super::draft::Draft;
use super::edit::{Edit, Form};
use super::merge::{Met, Writer, refuse};

/// Delimited text being written.
pub(super) struct Cells<'a> {
    form: Form<'a>,
    old: Option<(Rows, Table)>,
    /// The line end of the old file.
    end: Vec<u8>,
    /// The cells of new columns in a row that is copied.
    tail: Vec<u8>,
}

impl<'a> Cells<'a> {
    pub fn open(config: &'a Config, exists: bool) -> Result<Self, ConnectorError> {
        let old = if exists { Some(table::open(config)?) } else { None };
        let form = match &old {
            Some((rows, table)) => {
                Form::new(config, table.columns.clone(), table.keys.clone(), rows.delimiter, rows.input.encoding)
            }
            None => new_form(config)?,
        };
        Ok(Self { form, old, end: b"\n".to_vec(), tail: Vec::new() })
    }

    fn cell(&self, line: &mut Vec<u8>, text: &str, name: &Text) -> Result<(), ConnectorError> {
        cell::append(line, text, self.form.delimiter, self.form.config.quote, name)
    }
}

fn new_form(config: &Config) -> Result<Form<'_>, ConnectorError> {
    let delimiter = match config.delimiter {
        Delimiter::Byte(byte) => byte,
        Delimiter::Auto => b',',
    };
    let encoding = config.encoding.unwrap_or(UTF_8);
    let table = Table::with_names(config, config.names.clone())?;
    let keys = config.key.iter().filter_map(|key| table.position(key)).collect();
    let mut form = Form::new(config, table.columns, keys, delimiter, encoding);
    if config.header {
        // The key comes first, then what the operations bring, in their order.
        for key in &config.key {
            let at = form.column(&super::super::attribute(config, key))?;
            form.keys.push(at);
        }
    }
    Ok(form)
}

impl Writer for Cells<'_> {
    type Edit = Edit;
    type State = Vec<String>;

    fn encoding(&self) -> &'static Encoding {
        self.form.encoding
    }

    fn edit(&mut self, operation: &Operation) -> Result<Edit, ConnectorError> {
        self.form.edit(operation)
    }

    fn whose(edit: &Edit) -> &ObjectId {
        &edit.id
    }

    fn apply(&self, edit: &Edit, record: &mut Option<Vec<String>>) -> Result<Done, ConnectorError> {
        self.form.apply(edit, record)
    }

    fn begin(&mut self, draft: &mut Draft) -> Result<bool, ConnectorError> {
        let added = self.form.columns.len() - self.form.old_width;
        self.tail = vec![self.form.delimiter; added];
        let mut line = match &self.old {
            Some((rows, _)) => {
                if rows.input.bom > 0 {
                    draft.byte_order_mark()?;
                }
                if self.form.config.header && !rows.line_end().is_empty() {
                    self.end = rows.line_end().to_vec();
                }
                rows.raw().to_vec()
            }
            None => {
                if [UTF_16LE, UTF_16BE].contains(&self.form.encoding) {
                    draft.byte_order_mark()?;
                }
                Vec::new()
            }
        };
        if !self.form.config.header {
            return Ok(false);
        }
        for (at, column) in self.form.columns.iter().enumerate().skip(self.form.old_width) {
            if at > 0 {
                line.push(self.form.delimiter);
            }
            self.cell(&mut line, &column.header, &column.name)?;
        }
        line.extend_from_slice(&self.end);
        draft.write(&line)?;
        Ok(self.old.is_some() && added > 0)
    }

    fn next(&mut self) -> Result<Met, ConnectorError> {
        let config = self.form.config;
        let Some((rows, table)) = &mut self.old else { return Ok(Met::End) };
        match rows.next(config)? {
            Next::End => return Ok(Met::End),
            Next::Row if !rows.is_open() => {}
            _ => {
                let what = "has a quote that does not close, or a row that is too long";
                return Err(refuse(config, rows.line, what));
            }
        }
        if rows.line_end().is_empty() && config.final_newline {
            return Err(refuse(config, rows.line, "has no line end, so another program may be writing the file"));
        }
        match table.identify(rows, config) {
            Ok(Some(id)) => Ok(Met::Object(ObjectId::from(&*id))),
            Ok(None) => Ok(Met::Nobody),
            // A broken row stays as it is, but must not come to look whole by a new column.
            Err(_) if !self.tail.is_empty() => {
                Err(refuse(config, rows.line, "cannot be read, so no column can be added"))
            }
            Err(fault) => Ok(Met::Broken(fault)),
        }
    }

    fn state(&self) -> Result<Vec<String>, Box<RowFault>> {
        let Some((rows, table)) = &self.old else { return Ok(Vec::new()) };
        let mut texts = table.texts(rows)?;
        texts.resize(self.form.columns.len(), String::new());
        Ok(texts)
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        let Some((rows, _)) = &self.old else { return Ok(()) };
        draft.write(rows.raw())?;
        draft.write(&self.tail)?;
        draft.write(if rows.line_end().is_empty() { &self.end } else { rows.line_end() })
    }

    fn put(&self, texts: &Vec<String>, draft: &mut Draft) -> Result<(), ConnectorError> {
        let mut line = Vec::new();
        for (at, (text, column)) in texts.iter().zip(&self.form.columns).enumerate() {
            if at > 0 {
                line.push(self.form.delimiter);
            }
            self.cell(&mut line, text, &column.name)?;
        }
        line.extend_from_slice(&self.end);
        draft.write(&line)
    }

    fn finish(&mut self, _draft: &mut Draft, _empty: bool) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn disturbance(&self, path: &Path) -> Option<String> {
        self.old.as_ref()?.0.input.disturbance(path)
    }
}
