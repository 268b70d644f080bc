//! SQLite: how to open a file, what its catalogue says. Columns hold what they are given, so their declared type is a
//! promise that writes keep and reads do not rely on.

use provost_connector::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Column as _, ConnectOptions as _, Connection as _, Error, Executor as _, Statement as _, TypeInfo as _};

use super::address::Address;
use super::catalogue::{Found, collect, text_of};
use super::config::Config;
use super::db::{Db, Pool, Trouble};
use super::statement::{Sql, TableName};
use super::table::{Column, Compares, Kind};

pub(super) async fn connect(config: &Config) -> Result<Db, Error> {
    let Address::File(path) = &config.address else {
        return Err(Error::Configuration("the address is no file".into()));
    };
    // Never made by the way: an empty database would look like a target without accounts.
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(config.timeout.min(std::time::Duration::from_secs(10)))
        .disable_statement_logging();
    let mut first = options.connect().await?;
    sqlx::query("select count(*) from sqlite_schema").fetch_one(&mut first).await?;
    first.close().await?;
    let pool: SqlitePool = SqlitePoolOptions::new()
        .max_connections(super::connections(config))
        .acquire_timeout(config.timeout)
        .connect_lazy_with(options);
    Ok(Db { pool: Pool::Sqlite(pool), timeout: config.timeout, returning: true })
}

const COLUMNS: &str =
    "select name, upper(type), \"notnull\", dflt_value is not null, pk, hidden from pragma_table_xinfo(";

pub(super) async fn table(cx: &Context, db: &Db, table: &TableName) -> Result<Found, Trouble> {
    let schema = table.schema.as_deref().unwrap_or("main");
    let mut sql = db.sql(COLUMNS);
    sql.text_value(&table.name).push(", ").text_value(schema).push(") order by cid");
    let mut found = Found { transactional: true, ..Found::default() };
    let mut primary = Vec::new();
    for row in db.rows(cx, sql.uncached()).await? {
        let (name, declared) = (row.word(0)?, row.word(1)?);
        let mut column = Column::plain(&name, kind(&declared));
        column.nullable = row.number(2)? == 0;
        column.has_default = row.number(3)? != 0;
        // 2 and 3 are computed columns; 1 belongs to virtual tables.
        column.generated = matches!(row.number(5)?, 2 | 3);
        let place = row.number(4)?;
        if place > 0 {
            primary.push((place, name, declared == "INTEGER"));
            column.nullable = false;
        }
        found.columns.push(column);
    }
    primary.sort();
    if let [(_, name, true)] = primary.as_slice() {
        // The row's number: given where none is sent.
        for column in found.columns.iter_mut().filter(|column| column.name == *name) {
            column.has_default = true;
        }
    }
    if !primary.is_empty() {
        found.uniques.push(("PRIMARY KEY".to_owned(), primary.into_iter().map(|(_, name, _)| name).collect()));
    }
    let mut sql = db.sql("select l.name, i.name, i.coll from pragma_index_list(");
    sql.text_value(&table.name).push(", ").text_value(schema);
    sql.push(") as l join pragma_index_xinfo(l.name, ").text_value(schema);
    sql.push(") as i where l.\"unique\" = 1 and l.partial = 0 and i.key = 1 and i.name is not null order by l.origin <> 'pk', l.name, i.seqno");
    for row in db.rows(cx, sql.uncached()).await? {
        collect(&mut found.uniques, row.word(0)?, row.word(1)?);
    }
    for at in 0..found.columns.len() {
        let compares = compares(cx, db, table, &found.columns[at]).await?;
        found.columns[at].compares = compares;
    }
    Ok(found)
}

/// The catalogue does not tell a column's collation, but a comparison does.
async fn compares(cx: &Context, db: &Db, table: &TableName, column: &Column) -> Result<Compares, Trouble> {
    if column.kind != Kind::Text {
        return Ok(Compares::Exactly);
    }
    let mut sql = db.sql("select count(*) from (select ");
    sql.name(&column.name).push(" as c from ").table(table);
    sql.push(" where 0 union all select 'a') where c = 'A'");
    let folds = db.rows(cx, sql.uncached()).await?.first().map(|row| row.number(0)).transpose()?;
    let mut sql = db.sql("select count(*) from (select ");
    sql.name(&column.name).push(" as c from ").table(table);
    sql.push(" where 0 union all select 'a ') where c = 'a'");
    let pads = db.rows(cx, sql.uncached()).await?.first().map(|row| row.number(0)).transpose()?;
    Ok(match (folds, pads) {
        (Some(0), Some(0)) => Compares::Exactly,
        (Some(0), _) => Compares::PadsBlanks,
        (_, Some(0)) => Compares::FoldsAscii,
        _ => Compares::Unknown,
    })
}

/// SQLite's own rules of affinity, and above them the names that people give to types.
fn kind(declared: &str) -> Kind {
    let word = declared.split(['(', ' ']).next().unwrap_or_default();
    match word {
        "BOOLEAN" | "BOOL" => Kind::Boolean,
        "DATETIME" | "TIMESTAMP" | "TIMESTAMPTZ" => Kind::Timestamp,
        "DATE" => Kind::Date,
        _ if declared.contains("INT") => Kind::Integer,
        _ if ["CHAR", "CLOB", "TEXT", "UUID", "JSON"].iter().any(|part| declared.contains(part)) => Kind::Text,
        "" => Kind::Other,
        _ if declared.contains("BLOB") => Kind::Binary,
        // Kept as floats, whatever they are called.
        _ if ["REAL", "FLOA", "DOUB", "DEC", "NUM"].iter().any(|part| declared.contains(part)) => {
            Kind::Float { single: false }
        }
        _ => Kind::Other,
    }
}

/// The columns of a query, without running it.
pub(super) async fn describe(cx: &Context, db: &Db, sql: &Sql) -> Result<Vec<Column>, Trouble> {
    cx.check().map_err(Trouble::Stopped)?;
    let Pool::Sqlite(pool) = &db.pool else { return Ok(Vec::new()) };
    let mut connection = pool.acquire().await?;
    let statement = (&mut *connection).prepare(sqlx::SqlSafeStr::into_sql_str(text_of(sql))).await?;
    let columns = statement.columns().iter().map(|column| {
        let mut made = Column::plain(column.name(), kind(&column.type_info().name().to_ascii_uppercase()));
        if matches!(made.kind, Kind::Text | Kind::Other) {
            made.compares = Compares::Unknown;
        }
        made
    });
    Ok(columns.collect())
}

/// Dates and lengths of the file and its log: another one whenever something was written.
pub(super) async fn stamp(file: &std::path::Path) -> Option<provost_model::Text> {
    use std::fmt::Write as _;
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let mut text = provost_model::Text::default();
    for path in [file.as_os_str(), &log] {
        if let Ok(meta) = tokio::fs::metadata(path).await {
            let changed = meta.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
            let _ = write!(text, "{}:{};", meta.len(), changed.unwrap_or_default().as_nanosecond());
        }
    }
    (!text.is_empty()).then_some(text)
}
