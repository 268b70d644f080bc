//! From the configuration and the database's catalogue to [`Table`]s. What is different between the databases is in
//! `postgres`, `mysql` and `sqlite`.

use std::sync::Arc;

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_model::{Text, Value};

use super::config::{ChangesConfig, ChildConfig, ClassConfig, HistoryConfig, SoftDeleteConfig, Source};
use super::db::{Db, Trouble};
use super::statement::{Dialect, Sql, TableName};
use super::table::{Changes, Child, Column, Enabled, From, History, SoftDelete, SoftValue, Table, Unique};
use super::{fault, mysql, postgres, sqlite, value};

/// What a catalogue tells about one table.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub columns: Vec<Column>,
    /// Name and columns; the primary key first.
    pub uniques: Vec<(String, Vec<String>)>,
    pub transactional: bool,
    pub view: bool,
}

/// Every class of the configuration.
pub(super) async fn read(cx: &Context, db: &Db, classes: &[Arc<ClassConfig>]) -> Result<Vec<Table>, ConnectorError> {
    let mut tables = Vec::with_capacity(classes.len());
    for class in classes {
        tables.push(read_class(cx, db, class).await?);
    }
    Ok(tables)
}

async fn look(cx: &Context, db: &Db, table: &TableName) -> Result<Found, ConnectorError> {
    let found = match db.dialect() {
        Dialect::Postgres => postgres::table(cx, db, table).await,
        Dialect::MySql => mysql::table(cx, db, table).await,
        Dialect::Sqlite => sqlite::table(cx, db, table).await,
    };
    let found = found.map_err(|trouble| fault::read(trouble, &format!("the catalogue of table `{table}`")))?;
    if found.columns.is_empty() {
        let message = format!("there is no table or view `{table}` that this user may see");
        return Err(ConnectorError::new(ErrorCode::InvalidConfig, message)
            .hint("check its spelling and letter case, name its schema (`hr.people`), and grant SELECT on it"));
    }
    Ok(found)
}

async fn read_class(cx: &Context, db: &Db, class: &ClassConfig) -> Result<Table, ConnectorError> {
    let (from, found) = match &class.from {
        Source::Table(table) => (From::Table(table.clone()), look(cx, db, table).await?),
        Source::Query(query) => {
            let mut sql = db.sql("select * from (");
            sql.verbatim(query).push("\n) as t");
            let described: Result<Vec<Column>, Trouble> = match db.dialect() {
                Dialect::Postgres => postgres::describe(cx, db, &sql).await,
                Dialect::MySql => mysql::describe(cx, db, &sql).await,
                Dialect::Sqlite => sqlite::describe(cx, db, &sql).await,
            };
            let columns =
                described.map_err(|trouble| fault::read(trouble, &format!("the query of class `{}`", class.name)))?;
            (From::Query(query.clone()), Found { columns, transactional: true, ..Found::default() })
        }
    };
    let label = match &from {
        From::Table(table) => format!("table `{table}`"),
        From::Query(_) => format!("the query of class `{}`", class.name),
    };
    let all = found.columns;
    let named = |name: &str, setting: &str| position(&all, name).ok_or_else(|| missing(&all, name, setting, &label));
    let key = class.key.iter().map(|name| named(name, "key")).collect::<Result<Vec<_>, _>>()?;
    let soft_column = class.soft_delete.as_ref().map(|soft| named(&soft.column, "soft_delete")).transpose()?;
    let enabled_column = class.enabled.as_ref().map(|(column, ..)| named(column, "enabled")).transpose()?;
    let changes = match &class.changes {
        Some(ChangesConfig::Watermark { column, overlap }) => {
            Some(Changes::Watermark { column: named(column, "changes")?, overlap: *overlap })
        }
        Some(ChangesConfig::History(history)) => Some(Changes::History(read_history(cx, db, history).await?)),
        None => None,
    };
    for name in class.columns.keys() {
        named(name, "columns")?;
    }
    for name in class.references.keys() {
        named(name, "references")?;
    }
    let uniques: Vec<Unique> = found
        .uniques
        .into_iter()
        .filter_map(|(name, columns)| {
            let columns = columns
                .iter()
                .map(|column| all.iter().position(|have| have.name == *column))
                .collect::<Option<Vec<_>>>()?;
            Some(Unique { name, columns })
        })
        .collect();
    let mut columns = all.clone();
    for (at, column) in columns.iter_mut().enumerate() {
        column.attribute = attribute_name(class, &column.name);
        let references = class.references.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.name));
        column.references = references.map(|(_, class)| class.clone());
        column.unique = uniques.iter().any(|unique| unique.columns == [at]);
    }
    for (action, own) in class.statements.iter() {
        for name in own.names() {
            let known =
                |column: &Column| column.attribute.eq_ignore_ascii_case(name) || column.name.eq_ignore_ascii_case(name);
            if !columns.iter().any(known) {
                return Err(missing(&all, name, &format!("statements.{action}"), &label));
            }
        }
    }
    let soft_delete = match (&class.soft_delete, soft_column) {
        (Some(soft), Some(at)) => Some(soft_delete(soft, at, &columns[at])?),
        _ => None,
    };
    let enabled = match (&class.enabled, enabled_column) {
        (Some((_, on, off)), Some(at)) => Some(Enabled {
            column: at,
            on: settle(on, &columns[at], "enabled.on")?,
            off: settle(off, &columns[at], "enabled.off")?,
        }),
        _ => None,
    };
    let mut children = Vec::with_capacity(class.children.len());
    let mut transactional = found.transactional;
    for child in &class.children {
        let (child, sound) = read_child(cx, db, child).await?;
        transactional &= sound;
        children.push(child);
    }
    Ok(Table {
        class: class.name.clone(),
        dialect: db.dialect(),
        from,
        columns,
        key,
        uniques,
        children,
        soft_delete,
        enabled,
        transactional,
        writable: class.write,
        changes,
    })
}

/// A child table's columns; whether its writes can be taken back.
async fn read_child(cx: &Context, db: &Db, child: &ChildConfig) -> Result<(Child, bool), ConnectorError> {
    let found = look(cx, db, &child.table).await?;
    let label = format!("table `{}`", child.table);
    let take = |name: &str| match position(&found.columns, name) {
        Some(at) => Ok(found.columns[at].clone()),
        None => Err(missing(&found.columns, name, "children", &label)),
    };
    let key = child.key.iter().map(|name| take(name)).collect::<Result<_, _>>()?;
    let value = Column { attribute: child.attribute.clone(), ..take(&child.value)? };
    let made = Child {
        attribute: child.attribute.clone(),
        table: child.table.clone(),
        key,
        value,
        references: child.references.clone(),
    };
    Ok((made, found.transactional))
}

async fn read_history(cx: &Context, db: &Db, config: &HistoryConfig) -> Result<History, ConnectorError> {
    let found = look(cx, db, &config.table).await?;
    let label = format!("table `{}`", config.table);
    let take = |name: &str| match position(&found.columns, name) {
        Some(at) => Ok(found.columns[at].clone()),
        None => Err(missing(&found.columns, name, "changes", &label)),
    };
    Ok(History {
        table: config.table.clone(),
        key: config.key.iter().map(|name| take(name)).collect::<Result<_, _>>()?,
        order: take(&config.order)?,
        kind: config.kind.as_ref().map(|name| take(name)).transpose()?,
        deleted: config.deleted.clone(),
        overlap: config.overlap,
    })
}

/// The attribute of a column; empty for one that is hidden.
fn attribute_name(class: &ClassConfig, column: &str) -> Text {
    let renamed = class.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(column));
    match renamed {
        Some((_, Some(attribute))) => attribute.clone(),
        Some((_, None)) => Text::default(),
        None => column.into(),
    }
}

fn soft_delete(soft: &SoftDeleteConfig, at: usize, column: &Column) -> Result<SoftDelete, ConnectorError> {
    let gone = match &soft.value {
        Some(value) => SoftValue::Value(settle(value, column, "soft_delete.value")?),
        None => SoftValue::Now,
    };
    let live = soft.live.as_ref().map(|live| settle(live, column, "soft_delete.live")).transpose()?;
    Ok(SoftDelete { column: at, gone, live })
}

/// A value of the configuration as the column gives it back, so that the two can be compared.
fn settle(given: &Value, column: &Column, setting: &str) -> Result<Value, ConnectorError> {
    value::settle(given, column).ok_or_else(|| {
        ConnectorError::new(ErrorCode::InvalidConfig, format!("`{setting}` does not fit column `{}`", column.name))
            .hint("give a value of the column's type")
            .at(setting)
    })
}

/// The column of this name; an exact match wins over one in another letter case.
fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns
        .iter()
        .position(|column| column.name == name)
        .or_else(|| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name)))
}

fn missing(columns: &[Column], name: &str, setting: &str, label: &str) -> ConnectorError {
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).take(30).collect();
    ConnectorError::new(ErrorCode::InvalidConfig, format!("{label} has no column `{name}`"))
        .hint(format!("its columns are {}", known.join(", ")))
        .at(setting)
}

/// Adds a column to the unique constraint or index that the rows before began, or begins another.
pub(super) fn collect(uniques: &mut Vec<(String, Vec<String>)>, name: String, column: String) {
    match uniques.last_mut() {
        Some((last, columns)) if *last == name => columns.push(column),
        _ => uniques.push((name, vec![column])),
    }
}

/// The statement of a description, which is only prepared.
pub(super) fn text_of(sql: &Sql) -> sqlx::AssertSqlSafe<String> {
    sql.safe_text()
}
