//! The id of an object: the value of its key as text; for a key of several columns the JSON array of those texts, so that
//! `["a,b","c"]` and `["a","b,c"]` are two. Reversible: an id gives its columns' values back.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{ObjectId, Value};

use super::statement::{Dialect, Param, Sql};
use super::table::{Column, Compares, Kind, Table};
use super::value;

/// The id of these key values; none when one of them is null.
pub(super) fn of(values: &[&Value]) -> Option<ObjectId> {
    let text = |value: &Value| match value {
        Value::Boolean(flag) => Some(flag.to_string()),
        other => other.to_text().map(|text| text.into_owned()),
    };
    match values {
        [value] => text(value).map(ObjectId::from),
        several => {
            let parts: Option<Vec<String>> = several.iter().map(|value| text(value)).collect();
            parts.and_then(|parts| serde_json::to_string(&parts).ok()).map(ObjectId::from)
        }
    }
}

/// The texts that the id is made of; none for an id that cannot be one of the class.
pub(super) fn parts(id: &str, columns: usize) -> Option<Vec<String>> {
    if columns == 1 {
        return Some(vec![id.to_owned()]);
    }
    let parts: Vec<String> = serde_json::from_str(id).ok()?;
    // Only the one spelling that `of` gives, so that an object has one id.
    let sound = parts.len() == columns && serde_json::to_string(&parts).ok()? == id;
    sound.then_some(parts)
}

/// The key's parameters; none when no row can have this id (a text for a numeric key, say).
pub(super) fn params(id: &str, table: &Table) -> Option<Vec<Param>> {
    let parts = parts(id, table.key.len())?;
    parts.iter().zip(table.key_columns()).map(|(text, column)| key_param(text, column)).collect()
}

/// A key value as it is bound; `7` and `07` are not the same id, though the same number.
pub(super) fn key_param(text: &str, column: &Column) -> Option<Param> {
    let unbound = Column { max_chars: None, trims: false, ..column.clone() };
    let param = value::bind(&Value::text(text), &unbound).ok()?;
    match &param {
        Param::Int(number) if column.kind == Kind::Integer && number.to_string() != text => None,
        Param::Null => None,
        _ => Some(param),
    }
}

/// `k1 = … and k2 = …`, with the table's alias where there is one.
pub(super) fn condition(sql: &mut Sql, columns: &[&Column], params: Vec<Param>, alias: bool) {
    for (at, (column, param)) in columns.iter().zip(params).enumerate() {
        if at > 0 {
            sql.push(" and ");
        }
        equals(sql, column, param, alias);
    }
}

/// `column = value`, byte by byte also where the column's collation would find more. The plain comparison stays, since an
/// index answers it.
pub(super) fn equals(sql: &mut Sql, column: &Column, param: Param, alias: bool) {
    let name = |sql: &mut Sql| {
        if alias {
            sql.push("t.");
        }
        sql.name(&column.name);
    };
    if let Param::Null = param {
        name(sql);
        sql.push(" is null");
        return;
    }
    name(sql);
    sql.push(" = ");
    value::place(sql, param.clone(), column);
    if column.compares == Compares::Exactly || column.kind != Kind::Text {
        return;
    }
    match sql.dialect {
        Dialect::Postgres => {
            sql.push(" and cast(");
            name(sql);
            sql.push(" as text) collate \"C\" = ").bind(param);
        }
        Dialect::MySql => {
            sql.push(" and cast(convert(");
            name(sql);
            sql.push(" using utf8mb4) as binary) = cast(convert(").bind(param).push(" using utf8mb4) as binary)");
        }
        Dialect::Sqlite => {
            sql.push(" and ");
            name(sql);
            sql.push(" collate binary = ").bind(param);
        }
    }
}

/// Lists of values are as long as these, by repeating the last, so that few statements are prepared.
const LISTS: [usize; 4] = [1, 16, 128, 512];

/// The most keys in one list, where they are not sent as one set.
pub(super) const LIST_MAX: usize = 512;

/// Whose columns are among these tuples, as the database compares them. At most [`LIST_MAX`] tuples, and at least one.
pub(super) fn among(sql: &mut Sql, columns: &[&Column], tuples: &[Vec<Param>]) {
    let names = |sql: &mut Sql| {
        for (at, column) in columns.iter().enumerate() {
            sql.next(at).push("t.").name(&column.name);
        }
    };
    if sql.dialect == Dialect::Postgres {
        let set = |at: usize, column: &Column| {
            Param::Texts(tuples.iter().map(|tuple| value::as_text(&tuple[at], column)).collect())
        };
        if let [column] = columns {
            names(sql);
            sql.push(" = any(");
            match &column.cast {
                Some(cast) => sql.push("cast(").bind(set(0, column)).push(" as ").verbatim(cast).push("[]))"),
                None => sql.bind(set(0, column)).push(")"),
            };
            return;
        }
        sql.push("(");
        names(sql);
        sql.push(") in (select ");
        for (at, column) in columns.iter().enumerate() {
            sql.next(at).of_set("c", at, column.cast.as_ref());
        }
        sql.push(" from unnest(");
        for (at, column) in columns.iter().enumerate() {
            sql.next(at).bind(set(at, column));
        }
        sql.push(") as v(");
        for at in 0..columns.len() {
            sql.next(at).push("c").number(at);
        }
        sql.push("))");
        return;
    }
    let length = LISTS.into_iter().find(|length| *length >= tuples.len()).unwrap_or(tuples.len());
    let padded = (0..length).filter_map(|at| tuples.get(at).or(tuples.last()));
    if let [column] = columns {
        names(sql);
        sql.push(" in (");
        for (at, tuple) in padded.enumerate() {
            sql.next(at);
            value::place(sql, tuple[0].clone(), column);
        }
        sql.push(")");
        return;
    }
    sql.push("(");
    names(sql);
    sql.push(if sql.dialect == Dialect::Sqlite { ") in (values " } else { ") in (" });
    for (row, tuple) in padded.enumerate() {
        sql.next(row).push("(");
        for (at, (param, column)) in tuple.iter().zip(columns).enumerate() {
            sql.next(at);
            value::place(sql, param.clone(), column);
        }
        sql.push(")");
    }
    sql.push(")");
}

pub(super) fn unknown(id: &ObjectId, table: &Table) -> ConnectorError {
    ConnectorError::new(ErrorCode::NotFound, format!("{} has no row `{id}`", table.label()))
        .hint("it was deleted meanwhile; the next cycle finds out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_give_their_parts_back() {
        for parts_in in [vec!["a,b", "c"], vec!["a", "b,c"], vec!["", " "], vec!["\"", "\\"], vec!["ä", "😀"]] {
            let values: Vec<Value> = parts_in.iter().map(|part| Value::text(*part)).collect();
            let id = of(&values.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(parts(&id, 2).unwrap(), parts_in, "{id}");
            assert_eq!(of(&[&values[0]]).unwrap().as_str(), parts_in[0]);
        }
        for (id, columns) in [("[\"a\"]", 2), ("a", 2), ("[\"a\", \"b\"]", 2), ("[1,2]", 2)] {
            assert_eq!(parts(id, columns), None, "{id}");
        }
        assert_eq!(of(&[&Value::text("a"), &Value::Null]), None);
    }
}
