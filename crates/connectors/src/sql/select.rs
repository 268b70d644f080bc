//! Which columns a read asks for, and from a row to a record.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Digest, ObjectId, Record, Text, Value};
use xxhash_rust::xxh3::Xxh3;

use super::fault;
use super::ident;
use super::row::{Cell, Row};
use super::statement::{Dialect, Param, Sql};
use super::table::{Changes, Child, SoftValue, Table};
use super::value;

/// The columns of a read, in the order of the select list, and the child tables that are read besides.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub columns: Vec<usize>,
    pub children: Vec<usize>,
}

impl Selection {
    /// All, or what of it is wanted. The key is always there.
    pub(super) fn of(table: &Table, wanted: Option<&[Text]>) -> Self {
        let is_wanted =
            |name: &Text| wanted.is_none_or(|wanted| wanted.iter().any(|want| want.eq_ignore_ascii_case(name)));
        let columns = (0..table.columns.len()).filter(|at| {
            let column = &table.columns[*at];
            table.key.contains(at) || (!column.attribute.is_empty() && is_wanted(&column.attribute))
        });
        let children = (0..table.children.len()).filter(|at| is_wanted(&table.children[*at].attribute));
        Self { columns: columns.collect(), children: children.collect() }
    }

    /// With a column that has to be read besides; its place in the row.
    pub(super) fn with(&mut self, column: usize) -> usize {
        match self.columns.iter().position(|have| *have == column) {
            Some(at) => at,
            None => {
                self.columns.push(column);
                self.columns.len() - 1
            }
        }
    }

    /// `select …  from … as t where` the row is an object.
    pub(super) fn write(&self, sql: &mut Sql, table: &Table) {
        sql.push("select ");
        for (at, column) in self.columns.iter().enumerate() {
            value::select(sql.next(at), &table.columns[*column]);
        }
        sql.push(" from ");
        table.from.write(sql).push(" where ");
        live(sql, table);
    }
}

/// Whether a row is an object: true for all but soft-deleted ones.
pub(super) fn live(sql: &mut Sql, table: &Table) {
    let Some(soft) = &table.soft_delete else {
        sql.push("1 = 1");
        return;
    };
    let column = &table.columns[soft.column];
    let bound = |value: &Value| value::bind(value, column).unwrap_or(Param::Null);
    match (&soft.live, &soft.gone) {
        (Some(Value::Null), _) => {
            sql.push("t.").name(&column.name).push(" is null");
        }
        (Some(live), _) => {
            sql.push("t.").name(&column.name).push(" = ");
            value::place(sql, bound(live), column);
        }
        (None, SoftValue::Value(Value::Null)) => {
            sql.push("t.").name(&column.name).push(" is not null");
        }
        (None, SoftValue::Value(gone)) => {
            sql.push("(t.").name(&column.name).push(" is null or t.").name(&column.name).push(" <> ");
            value::place(sql, bound(gone), column);
            sql.push(")");
        }
        (None, SoftValue::Now) => {
            sql.push("t.").name(&column.name).push(" is null");
        }
    }
}

/// A row, made out.
pub(super) struct Made {
    pub record: Record,
    /// The key, for the next page and for children.
    pub key: Vec<Param>,
    /// What the column by which changes are told holds, where it was read.
    pub watermark: Option<Value>,
    digest: Xxh3,
}

/// Why a row is none, and whose it is, when that much could be read.
#[derive(Debug)]
pub(super) struct BadRow {
    pub id: Option<ObjectId>,
    pub key: Option<Vec<Param>>,
    pub error: ConnectorError,
}

pub(super) fn make(row: &Row, selection: &Selection, table: &Table) -> Result<Made, BadRow> {
    let mut record = Record::new(table.class.clone(), "");
    let mut key: Vec<Option<Value>> = vec![None; table.key.len()];
    let (mut bad, mut watermark) = (None, None);
    let mut digest = Xxh3::new();
    for (place, at) in selection.columns.iter().enumerate() {
        let column = &table.columns[*at];
        let cell = row.cell(place).map_err(|_| "its text is not in the encoding that it says".to_owned());
        let value = cell.and_then(|cell| {
            feed(&mut digest, column.attribute.as_str(), &cell);
            value::read(cell, column)
        });
        let value = match value {
            Ok(value) => value,
            Err(reason) => {
                let message = format!("{}: column `{}` cannot be read: {reason}", table.label(), column.name);
                bad = Some(ConnectorError::new(ErrorCode::Unreadable, message).at(column.attribute.clone()));
                continue;
            }
        };
        let value = match (&column.references, value.to_text()) {
            (Some(class), Some(id)) => Value::reference(class.clone(), id.as_ref()),
            _ => value,
        };
        if let Some(part) = table.key.iter().position(|key| key == at) {
            key[part] = Some(value.clone());
        }
        if matches!(&table.changes, Some(Changes::Watermark { column, .. }) if column == at) {
            watermark = Some(value.clone());
        }
        if !column.attribute.is_empty() {
            record.attributes.push(column.attribute.clone(), value);
        }
    }
    let values: Option<Vec<&Value>> = key.iter().map(Option::as_ref).collect();
    let id = values.as_ref().and_then(|values| ident::of(values));
    let params = values.and_then(|values| {
        values.iter().zip(table.key_columns()).map(|(value, column)| value::bind(value, column).ok()).collect()
    });
    match (id, params, bad) {
        (Some(id), Some(key), None) => {
            record.id = id;
            Ok(Made { record, key, watermark, digest })
        }
        (id, key, Some(error)) => Err(BadRow { id, key, error }),
        (id, key, None) => {
            let message = format!("{} has a row without a key", table.label());
            let hint = "every row needs a value in each column of `key`";
            Err(BadRow { id, key, error: ConnectorError::new(ErrorCode::Unreadable, message).hint(hint) })
        }
    }
}

fn feed(digest: &mut Xxh3, name: &str, cell: &Cell<'_>) {
    let mut part = |tag: u8, bytes: &[u8]| {
        digest.update(&[tag]);
        digest.update(&(bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    part(b':', name.as_bytes());
    match cell {
        Cell::Null => part(b'n', &[]),
        Cell::Text(text) => part(b't', text.as_bytes()),
        Cell::Int(number) => part(b'i', &number.to_le_bytes()),
        Cell::Real(number) => part(b'r', &number.to_bits().to_le_bytes()),
        Cell::Bytes(bytes) => part(b'b', bytes),
    }
}

impl Made {
    /// Takes the values of a child table.
    pub(super) fn adopt(&mut self, child: &Child, values: Vec<Value>) {
        feed(&mut self.digest, child.attribute.as_str(), &Cell::Int(values.len() as i64));
        for value in &values {
            let digest = Digest::of_value(value).0.to_le_bytes();
            feed(&mut self.digest, "", &Cell::Bytes(digest.as_slice().into()));
        }
        self.record.attributes.push(child.attribute.clone(), Value::List(values));
    }

    pub(super) fn into_record(mut self) -> Record {
        self.record.raw_digest = Some(Digest(self.digest.digest128()));
        self.record
    }

    pub(super) fn digest(&self) -> Digest {
        Digest(self.digest.digest128())
    }
}

/// A driver's error while a row was taken apart.
pub(super) fn unreadable(error: sqlx::Error, table: &Table) -> ConnectorError {
    fault::read(super::db::Trouble::Db(error), &format!("reading {}", table.label()))
}

/// `select count(*) from … as t where`.
pub(super) fn counting(table: &Table) -> Sql {
    // Other drivers are asked for texts.
    let head = match table.dialect {
        Dialect::Sqlite => "select count(*) from ",
        _ => "select cast(count(*) as char(20)) from ",
    };
    let mut sql = Sql::new(table.dialect, head);
    table.from.write(&mut sql).push(" where ");
    sql
}
