//! From a filter to a condition in SQL that every object of the filter satisfies; `find` judges the rows that come once
//! more, by the rules that all filters of Provost have. So a collation that finds more than it should costs rows, and none
//! is lost where the two differ: what SQL would leave out is then not left to SQL.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{AttributePath, Filter, Operator, Term, Value};

use super::statement::{Dialect, Param, Sql};
use super::table::{Child, Column, Compares, Kind, Table};
use super::value;

/// A condition, and whether exactly the objects of the filter satisfy it. Only such a one may be turned round by `not`.
struct Condition {
    sql: Sql,
    exact: bool,
}

/// The condition for `where`.
pub(super) fn compile(filter: &Filter, table: &Table) -> Result<Sql, ConnectorError> {
    let mut unknown = None;
    filter.for_each_path(&mut |path| {
        if table.position(path).is_none() && table.child(&whole(path)).is_none() {
            unknown.get_or_insert_with(|| path.to_string());
        }
    });
    match unknown {
        Some(path) => Err(ConnectorError::new(ErrorCode::NotSupported, format!("{} has no `{path}`", table.label()))
            .hint("filters may use the attributes that the schema shows")
            .at(path)),
        None => Ok(condition(filter, table).sql),
    }
}

/// The attribute of a path such as `emails.value`.
fn whole(path: &AttributePath) -> AttributePath {
    AttributePath::name(path.name.clone())
}

fn fixed(table: &Table, text: &'static str, exact: bool) -> Condition {
    Condition { sql: Sql::new(table.dialect, text), exact }
}

/// Left to `find` as a whole.
fn anything(table: &Table) -> Condition {
    fixed(table, "1 = 1", false)
}

fn condition(filter: &Filter, table: &Table) -> Condition {
    match filter {
        Filter::And(parts) => join(parts, table, " and ", "1 = 1"),
        Filter::Or(parts) => join(parts, table, " or ", "1 = 0"),
        Filter::Not(inner) => not(condition(inner, table), table),
        Filter::Each { .. } => anything(table),
        Filter::Term(term) => of_term(term, table),
    }
}

fn join(parts: &[Filter], table: &Table, word: &'static str, empty: &'static str) -> Condition {
    let mut joined = fixed(table, if parts.is_empty() { empty } else { "(" }, true);
    for (at, part) in parts.iter().enumerate() {
        let part = condition(part, table);
        joined.sql.push(if at > 0 { word } else { "" }).push("(").append(part.sql).push(")");
        joined.exact &= part.exact;
    }
    if !parts.is_empty() {
        joined.sql.push(")");
    }
    joined
}

/// Conditions are never null, so `not` has two values as in a filter.
fn not(inner: Condition, table: &Table) -> Condition {
    if !inner.exact {
        return anything(table);
    }
    let mut sql = Sql::new(table.dialect, "not (");
    sql.append(inner.sql).push(")");
    Condition { sql, exact: true }
}

fn of_term(term: &Term, table: &Table) -> Condition {
    let Some(at) = table.position(&term.path) else {
        return match (table.child(&term.path), term.op) {
            (Some(child), Operator::Eq) if !term.value.is_null() => {
                of_child(&term.value, &table.children[child], table)
            }
            _ => anything(table),
        };
    };
    let column = &table.columns[at];
    if column.array {
        return anything(table);
    }
    match term.op {
        Operator::Pr | Operator::IsNotNull => present(column, table),
        Operator::IsNull => not(present(column, table), table),
        Operator::Eq if term.value.is_null() => not(present(column, table), table),
        Operator::Ne if term.value.is_null() => present(column, table),
        Operator::Eq => equal(&term.value, column, table),
        Operator::Ne => not(equal(&term.value, column, table), table),
        Operator::In => {
            let mut any = fixed(table, "(1 = 0", true);
            for value in term.value.as_list().unwrap_or(std::slice::from_ref(&term.value)) {
                let one = equal(value, column, table);
                any.sql.push(" or (").append(one.sql).push(")");
                any.exact &= one.exact;
            }
            any.sql.push(")");
            any
        }
        Operator::Co | Operator::Includes => part(&term.value, column, table, Part::Anywhere),
        Operator::Sw => part(&term.value, column, table, Part::Start),
        Operator::Ew | Operator::EndsWith => part(&term.value, column, table, Part::End),
        Operator::Gt => order(&term.value, column, table, " > "),
        Operator::Ge => order(&term.value, column, table, " >= "),
        Operator::Lt => order(&term.value, column, table, " < "),
        Operator::Le => order(&term.value, column, table, " <= "),
        _ => anything(table),
    }
}

/// `t.column`, known not to be null.
fn guarded(column: &Column, table: &Table) -> Sql {
    let mut sql = Sql::new(table.dialect, "t.");
    sql.name(&column.name).push(" is not null and ");
    sql
}

fn present(column: &Column, table: &Table) -> Condition {
    let mut sql = Sql::new(table.dialect, "t.");
    sql.name(&column.name).push(" is not null");
    match column.kind {
        Kind::Text => {
            sql.push(" and length(t.").name(&column.name).push(") > 0");
            Condition { sql, exact: column.compares != Compares::Unknown }
        }
        Kind::Other | Kind::Json | Kind::Binary => Condition { sql, exact: false },
        _ => Condition { sql, exact: true },
    }
}

/// Whether a text may be meant as a date, which is then compared in time.
fn is_datelike(text: &str) -> bool {
    let mut parts = text.split(['-', '/']);
    let digits = |part: Option<&str>| {
        part.is_some_and(|part| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(parts.next()) && parts.next().is_some() && parts.next().is_some()
}

fn equal(operand: &Value, column: &Column, table: &Table) -> Condition {
    let text = operand.to_text();
    match (column.kind, operand) {
        (Kind::Text, Value::Text(text)) if text.is_empty() => fixed(table, "1 = 0", true),
        (Kind::Text, Value::Text(text)) if !is_datelike(text) && !text.contains('\0') => {
            let exact = match column.compares {
                Compares::Exactly => true,
                Compares::PadsBlanks | Compares::Folds => false,
                Compares::FoldsAscii if text.is_ascii() => false,
                Compares::FoldsAscii | Compares::Unknown => return anything(table),
            };
            compared(column, table, " = ", Param::Text(text.to_string()), exact)
        }
        (Kind::Integer | Kind::Number | Kind::Float { .. }, Value::Integer(_) | Value::Decimal(_) | Value::Text(_))
        | (Kind::Boolean, Value::Boolean(_) | Value::Text(_))
        | (Kind::Uuid, Value::Text(_)) => match value::bind(operand, column) {
            Ok(param) if param != Param::Null => {
                let exact = matches!(column.kind, Kind::Integer | Kind::Boolean);
                compared(column, table, " = ", param, exact)
            }
            _ => anything(table),
        },
        (Kind::Timestamp | Kind::Date, Value::Text(_)) if table.dialect != Dialect::Sqlite => {
            match value::bind(operand, column) {
                Ok(param) => compared(column, table, " = ", param, false),
                Err(_) => anything(table),
            }
        }
        (Kind::Other, Value::Text(_)) if column.compares != Compares::Unknown => {
            let mut sql = guarded(column, table);
            let text = text.map(|text| text.into_owned()).unwrap_or_default();
            let kind = if table.dialect == Dialect::MySql { " as char) = " } else { " as text) = " };
            sql.push("cast(t.").name(&column.name).push(kind).bind(Param::Text(text));
            Condition { sql, exact: table.dialect == Dialect::Postgres && !is_datelike_value(operand) }
        }
        _ => anything(table),
    }
}

fn is_datelike_value(value: &Value) -> bool {
    value.as_text().is_some_and(is_datelike)
}

fn compared(column: &Column, table: &Table, operator: &'static str, param: Param, exact: bool) -> Condition {
    let mut sql = guarded(column, table);
    sql.push("t.").name(&column.name).push(operator);
    value::place(&mut sql, param, column);
    Condition { sql, exact }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Anywhere,
    Start,
    End,
}

fn part(operand: &Value, column: &Column, table: &Table, part: Part) -> Condition {
    let Some(text) = operand.as_text().filter(|text| !text.is_empty() && !text.contains('\0')) else {
        return anything(table);
    };
    // Only where the functions compare as the column does.
    let usable = match table.dialect {
        Dialect::Postgres | Dialect::Sqlite => column.compares == Compares::Exactly,
        Dialect::MySql => column.compares != Compares::Unknown,
    };
    if column.kind != Kind::Text || !usable {
        return anything(table);
    }
    let mut sql = guarded(column, table);
    let param = || Param::Text(text.to_owned());
    let name = &column.name;
    match (table.dialect, part) {
        (Dialect::Postgres, Part::Anywhere) => sql.push("strpos(t.").name(name).push(", ").bind(param()).push(") > 0"),
        (Dialect::Sqlite, Part::Anywhere) => sql.push("instr(t.").name(name).push(", ").bind(param()).push(") > 0"),
        (Dialect::MySql, _) => sql.push("locate(").bind(param()).push(", t.").name(name).push(") > 0"),
        (_, Part::Start) => {
            sql.push("substr(t.").name(name).push(", 1, length(").bind(param()).push(")) = ").bind(param())
        }
        (Dialect::Postgres, Part::End) => {
            sql.push("right(t.").name(name).push(", length(").bind(param()).push(")) = ").bind(param())
        }
        (Dialect::Sqlite, Part::End) => {
            sql.push("substr(t.").name(name).push(", -length(").bind(param()).push(")) = ").bind(param())
        }
    };
    Condition { sql, exact: table.dialect != Dialect::MySql }
}

fn order(operand: &Value, column: &Column, table: &Table, operator: &'static str) -> Condition {
    match (column.kind, operand) {
        (Kind::Integer | Kind::Number | Kind::Float { .. }, Value::Integer(_) | Value::Decimal(_)) => {
            match value::bind(operand, column) {
                Ok(param) => compared(column, table, operator, param, column.kind == Kind::Integer),
                Err(_) => anything(table),
            }
        }
        (Kind::Timestamp, Value::Text(_)) if table.dialect != Dialect::Sqlite => match value::bind(operand, column) {
            Ok(param) => compared(column, table, operator, param, false),
            Err(_) => anything(table),
        },
        (Kind::Text, Value::Text(text))
            if column.compares == Compares::Exactly
                && table.dialect != Dialect::MySql
                && !text.is_empty()
                && !is_datelike(text)
                && !text.contains('\0') =>
        {
            let mut sql = guarded(column, table);
            sql.push("t.").name(&column.name);
            if table.dialect == Dialect::Postgres {
                // By the letters' numbers, whatever the language of the column.
                sql.push(" collate \"C\"");
            }
            // An empty text is no value, and smaller than all.
            sql.push(operator).bind(Param::Text(text.to_string()));
            Condition { sql, exact: false }
        }
        _ => anything(table),
    }
}

/// Objects with a value in a child table.
fn of_child(operand: &Value, child: &Child, table: &Table) -> Condition {
    let usable = matches!(child.value.kind, Kind::Text | Kind::Integer | Kind::Uuid)
        && !matches!(child.value.compares, Compares::Unknown | Compares::FoldsAscii)
        && !is_datelike_value(operand);
    let Some(param) = value::bind(operand, &child.value).ok().filter(|param| usable && *param != Param::Null) else {
        return anything(table);
    };
    let mut sql = Sql::new(table.dialect, "");
    holders(&mut sql, child, table, |sql| {
        sql.push(" = ");
        value::place(sql, param, &child.value);
    });
    Condition { sql, exact: false }
}

/// `(key) in (select key from child where value …)`.
pub(super) fn holders(sql: &mut Sql, child: &Child, table: &Table, condition: impl FnOnce(&mut Sql)) {
    sql.push("(");
    for (at, column) in table.key_columns().enumerate() {
        sql.next(at).push("t.").name(&column.name);
    }
    sql.push(") in (select ");
    for (at, column) in child.key.iter().enumerate() {
        sql.next(at).push("c.").name(&column.name);
    }
    sql.push(" from ").table(&child.table).push(" as c where c.").name(&child.value.name);
    condition(sql);
    sql.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_numbers_with_a_dash() {
        for (text, is) in [("2024-01-02", true), ("1/2/2024", true), ("12-345", false), ("a-b-c", false), ("", false)] {
            assert_eq!(is_datelike(text), is, "{text}");
        }
    }
}
