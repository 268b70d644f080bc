//! Operations that go alone: statements of the administrator's own, and tables whose writes cannot be taken back. Once such
//! a statement was sent, a lost answer leaves its outcome unknown.

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_model::{Action, ObjectId, Text, Value};

use super::batch::{self, Outcome, Stop};
use super::children::Asked;
use super::db::{Db, Purpose, Trouble, Tx};
use super::fault::{self, Meaning};
use super::find;
use super::ident;
use super::own::{Own, Part};
use super::plan::{Plan, Work};
use super::row::Row;
use super::statement::{Param, Sql};
use super::table::{Column, Kind, Table};
use super::value;
use super::write::{gone, settle};

pub(super) async fn alone(cx: &Context, db: &Db, table: &Table, action: Action, plan: &Plan) -> Outcome {
    let what = format!("writing to {}", table.label());
    let mut tx = db.begin(cx, Purpose::Write).await.map_err(|trouble| fault::read(trouble, &what))?;
    let outcome = match &plan.work {
        Work::Own(own, values) => statement(cx, &mut tx, table, action, (plan, own, values)).await,
        _ => match batch::run(cx, &mut tx, table, &[plan]).await {
            Ok(mut outcomes) => Ok(outcomes.pop().unwrap_or_else(|| Err(gone(plan, table)))),
            Err(stop) => Err(stop),
        },
    };
    let done = match outcome {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            tx.rollback().await;
            return Err(error);
        }
        Err(stop) => {
            tx.rollback().await;
            return Err(explain(stop, table, action));
        }
    };
    match tx.commit().await {
        Ok(()) => Ok(done),
        Err(Trouble::Db(error)) if error.as_database_error().is_some() => {
            Err(fault::write(&fault::examine(&error), table, action, None))
        }
        Err(_) => Err(unknown("the connection was cut before the commit was answered")),
    }
}

fn unknown(reason: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::UnknownOutcome, reason).hint("the row is looked at before anything is sent again")
}

fn explain(stop: Stop, table: &Table, action: Action) -> ConnectorError {
    match stop {
        Stop::Refused(error) => error,
        Stop::Disorder => {
            ConnectorError::new(ErrorCode::Protocol, "the database returned rows that were not asked for")
        }
        // The statement was on its way, and may end things by itself.
        Stop::Trouble(Trouble::Stopped(error), _) => unknown(&error.message),
        Stop::Trouble(Trouble::Db(error), path) => {
            let fault = fault::examine(&error);
            match fault.meaning {
                Meaning::Lost => unknown("the connection was cut before the statement was answered"),
                _ => fault::write(&fault, table, action, path.as_ref()),
            }
        }
    }
}

/// Runs an own statement with what the object is to be: what the operation says over what the row holds now.
async fn statement(
    cx: &Context,
    tx: &mut Tx,
    table: &Table,
    action: Action,
    (plan, own, values): (&Plan, &Own, &[(Text, Value)]),
) -> Result<Outcome, Stop> {
    let mut known: Vec<(Text, Value)> = Vec::new();
    if let Some(id) = &plan.id {
        let record = find::get(cx, &mut Asked::Tx(tx), table, id).await.map_err(Stop::Refused)?;
        let Some(record) = record else { return Ok(Err(ident::unknown(id, table))) };
        known.extend(record.attributes.iter().map(|(name, value)| (Text::from(name), value.clone())));
        // The key counts as what the operation names, also where it is hidden.
        let parts = ident::parts(id, table.key.len()).unwrap_or_default();
        known.extend(table.key_columns().zip(parts).map(|(column, text)| (column.name.as_str().into(), text.into())));
    }
    for (name, value) in values {
        match known.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name)) {
            Some((_, have)) => *have = value.clone(),
            None => known.push((name.clone(), value.clone())),
        }
    }
    let mut sql = tx.sql("");
    for part in &own.parts {
        match part {
            Part::Text(text) => {
                sql.verbatim(text);
            }
            Part::Named(name) => parameter(&mut sql, name, table, &known).map_err(Stop::Refused)?,
        }
    }
    let rows = tx.rows(cx, sql).await?;
    let id = match &plan.id {
        Some(id) => id.clone(),
        None => match made(cx, tx, table, &rows, &known).await? {
            Some(id) => id,
            None => {
                // The statement went well, and nothing tells what it made.
                let error = unknown("the statement does not tell the key of the row that it made").status(200);
                return Ok(Err(error.hint("let it return the key's columns (`returning`, or a select at its end)")));
            }
        },
    };
    debug_assert!(action != Action::Unlink);
    Ok(Ok(settle(id)))
}

fn parameter(sql: &mut Sql, name: &str, table: &Table, known: &[(Text, Value)]) -> Result<(), ConnectorError> {
    let column = column(name, table);
    let attribute =
        column.map_or(name, |column| if column.attribute.is_empty() { &column.name } else { &column.attribute });
    let value = known.iter().find(|(have, _)| have.eq_ignore_ascii_case(attribute)).map(|(_, value)| value);
    let plain;
    let column = match column {
        Some(column) => column,
        None => {
            plain = Column::plain(name, Kind::Text);
            &plain
        }
    };
    let param = value::bind(value.unwrap_or(&Value::Null), column).map_err(|reason| {
        ConnectorError::new(ErrorCode::InvalidValue, format!("{}: `:{name}` does not fit: {reason}", table.label()))
            .hint("correct the mapping")
            .at(name)
    })?;
    value::place(sql, param, column);
    Ok(())
}

/// The column that a parameter is named after, by attribute or by column.
pub(super) fn column<'t>(name: &str, table: &'t Table) -> Option<&'t Column> {
    let by = |is: &dyn Fn(&Column) -> bool| table.columns.iter().find(|column| is(column));
    by(&|column| column.attribute.eq_ignore_ascii_case(name))
        .or_else(|| by(&|column| column.name.eq_ignore_ascii_case(name)))
}

/// The id of the row that a create made.
async fn made(
    cx: &Context,
    tx: &mut Tx,
    table: &Table,
    rows: &[Row],
    known: &[(Text, Value)],
) -> Result<Option<ObjectId>, Stop> {
    if let Some(row) = rows.first() {
        let part = |column: &Column| row.find(&column.name).and_then(|at| row.native(at)).map(Value::from);
        let key: Option<Vec<Value>> = table.key_columns().map(part).collect();
        if let Some(key) = key {
            return Ok(ident::of(&key.iter().collect::<Vec<_>>()));
        }
    }
    // The row as it is now, by what is known of it and unique: the key first.
    let value = |at: &usize| {
        let column = &table.columns[*at];
        let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.attribute))?;
        let param = value::bind(&found.1, column).ok().filter(|param| *param != Param::Null)?;
        Some((*at, param))
    };
    let key: Option<Vec<(usize, Param)>> = table.key.iter().map(value).collect();
    let unique = || table.uniques.iter().find_map(|unique| unique.columns.iter().map(value).collect());
    let Some(by) = key.or_else(unique) else { return Ok(None) };
    let found = tx.rows(cx, find::same(&by, table)).await?;
    let [row] = found.as_slice() else { return Ok(None) };
    let selection = super::select::Selection::of(table, Some(&[]));
    Ok(super::select::make(row, &selection, table).ok().map(|made| made.record.id))
}
