//! What `test` tells an administrator: reachable, every class readable, keys unique, rights to write. It never writes.

use provost_connector::{CheckResult, CheckStatus, Context};

use super::db::Db;
use super::find;
use super::statement::{Dialect, Sql};
use super::table::{Changes, Kind, Table};
use super::{fault, value};

pub(super) async fn run<'t>(cx: &Context, db: &Db, tables: impl Iterator<Item = &'t Table>) -> Vec<CheckResult> {
    let mut checks = Vec::new();
    match version(cx, db).await {
        Ok(version) => checks.push(CheckResult::ok("connect", version)),
        Err(error) => return vec![CheckResult::fail("connect", &error)],
    }
    for table in tables {
        class(cx, db, table, &mut checks).await;
    }
    checks
}

async fn version(cx: &Context, db: &Db) -> Result<String, provost_connector::ConnectorError> {
    let sql = db.sql(match db.dialect() {
        Dialect::Sqlite => "select 'SQLite ' || sqlite_version()",
        Dialect::MySql => "select cast(version() as char)",
        Dialect::Postgres => "select 'PostgreSQL ' || current_setting('server_version')",
    });
    let rows = db.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, "connecting"))?;
    Ok(rows.first().and_then(|row| row.word(0).ok()).unwrap_or_default())
}

async fn class(cx: &Context, db: &Db, table: &Table, checks: &mut Vec<CheckResult>) {
    let name = format!("read {}", table.class);
    match find::count(cx, db, table).await {
        Ok(count) => checks.push(CheckResult::ok(&name, format!("{count} rows in {}", table.label()))),
        Err(error) => {
            checks.push(CheckResult::fail(&name, &error));
            return;
        }
    }
    if !table.has_unique_key() {
        checks.push(unique(cx, db, table).await);
    }
    if !table.transactional {
        checks.push(warn(
            &format!("storage of {}", table.class),
            format!("{} or a child table has a storage engine without transactions", table.label()),
            "reads of it are never complete, so nobody is deleted for being absent; use InnoDB",
        ));
    }
    if let Some(Changes::Watermark { column, .. }) = &table.changes
        && !matches!(table.columns[*column].kind, Kind::Integer | Kind::Timestamp)
    {
        checks.push(warn(
            &format!("changes of {}", table.class),
            format!("the watermark `{}` is neither a number nor a time", table.columns[*column].name),
            "use a column that only ever grows",
        ));
    }
    if table.writable && table.table().is_some() && db.dialect() == Dialect::Postgres {
        checks.push(rights(cx, db, table).await);
    }
}

fn warn(name: &str, message: String, hint: &str) -> CheckResult {
    CheckResult { name: name.into(), status: CheckStatus::Warn, message, hint: Some(hint.to_owned()) }
}

/// Where the catalogue promises nothing, the rows are asked.
async fn unique(cx: &Context, db: &Db, table: &Table) -> CheckResult {
    let name = format!("key of {}", table.class);
    let mut sql = Sql::new(table.dialect, "select ");
    for (at, column) in table.key_columns().enumerate() {
        value::select(sql.next(at), column);
    }
    sql.push(" from ");
    table.from.write(&mut sql).push(" group by ");
    for (at, column) in table.key_columns().enumerate() {
        sql.next(at).push("t.").name(&column.name);
    }
    sql.push(" having count(*) > 1 limit 1");
    match db.rows(cx, sql.uncached()).await {
        Ok(rows) if rows.is_empty() => CheckResult::ok(&name, "no two rows share a key"),
        Ok(_) => warn(
            &name,
            format!("several rows of {} share a key", table.label()),
            "reads are never complete so; name further columns in `key`",
        ),
        Err(trouble) => CheckResult::fail(&name, &fault::read(trouble, "looking at the key")),
    }
}

async fn rights(cx: &Context, db: &Db, table: &Table) -> CheckResult {
    let name = format!("write {}", table.class);
    let Some(target) = table.table() else { return CheckResult::ok(&name, "by own statements") };
    let mut quoted = String::new();
    if let Some(schema) = &target.schema {
        quoted.push_str(&super::statement::quote(table.dialect, schema));
        quoted.push('.');
    }
    quoted.push_str(&super::statement::quote(table.dialect, &target.name));
    let mut sql = db.sql("select string_agg(r, ', ') from unnest(array['INSERT', 'UPDATE', 'DELETE']) as r where not has_table_privilege(");
    sql.text_value(&quoted).push(", r)");
    match db.rows(cx, sql.uncached()).await {
        Ok(rows) => match rows.first().and_then(|row| row.text(0).ok().flatten()) {
            None => CheckResult::ok(&name, "may insert, update and delete"),
            Some(missing) => warn(
                &name,
                format!("the user may not {missing} on {}", table.label()),
                "grant it, or set `write: false`",
            ),
        },
        Err(trouble) => CheckResult::fail(&name, &fault::read(trouble, "looking at the rights")),
    }
}
