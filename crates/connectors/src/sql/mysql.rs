//! MySQL and MariaDB: how to connect, what their catalogue says.

use provost_connector::{Context, Secret};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sqlx::{
    Column as _, ConnectOptions as _, Connection as _, Error, Executor as _, Row as _, Statement as _, TypeInfo as _,
};

use super::address::Address;
use super::catalogue::{Found, collect, text_of};
use super::config::{Config, Tls};
use super::db::{Db, Pool, Trouble};
use super::statement::{Sql, TableName};
use super::table::{Column, Compares, Kind};

/// Values that do not fit are errors, never cut; the snapshot of a read lasts as long as its transaction.
const SESSION: &str = "set session sql_mode = concat(@@session.sql_mode, ',STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'), \
                       session transaction_isolation = 'REPEATABLE-READ'";
/// As MariaDB before 11.1 calls it.
const SESSION_OLD: &str = "set session sql_mode = concat(@@session.sql_mode, ',STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'), \
                           session tx_isolation = 'REPEATABLE-READ'";

pub(super) async fn connect(config: &Config, password: Option<&Secret>) -> Result<Db, Error> {
    let Address::Server { host, port, database, user, .. } = &config.address else {
        return Err(Error::Configuration("the address is no server's".into()));
    };
    let mode = match config.tls {
        Tls::Off => MySqlSslMode::Disabled,
        Tls::Prefer => MySqlSslMode::Preferred,
        Tls::Require => MySqlSslMode::Required,
        Tls::Verify => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .host(host)
        .port(*port)
        .ssl_mode(mode)
        .pipes_as_concat(false)
        .timezone(Some("+00:00".to_owned()))
        .disable_statement_logging();
    if let Some(user) = config.user.as_deref().or(user.as_deref()) {
        options = options.username(user);
    }
    if let Some(database) = database {
        options = options.database(database);
    }
    if let Some(password) = password {
        options = options.password(password.expose());
    }
    if let Some(ca) = &config.ca {
        options = options.ssl_ca(ca);
    }
    let mut first = options.connect().await?;
    let version: String = sqlx::query("select version()").fetch_one(&mut first).await?.try_get_unchecked(0)?;
    first.close().await?;
    let pool: MySqlPool = MySqlPoolOptions::new()
        .max_connections(super::connections(config))
        .acquire_timeout(config.timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                if connection.execute(SESSION).await.is_err() {
                    connection.execute(SESSION_OLD).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options);
    let returning = maria_version(&version).is_some_and(|version| version >= (10, 5));
    Ok(Db { pool: Pool::MySql(pool), timeout: config.timeout, returning })
}

/// `10.11.6-MariaDB-0+deb12u1`, or as old clients are told `5.5.5-10.11.6-MariaDB`.
fn maria_version(text: &str) -> Option<(u32, u32)> {
    if !text.to_ascii_lowercase().contains("mariadb") {
        return None;
    }
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text.split(['.', '-']).map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

const COLUMNS: &str = "
select cast(c.column_name as char), cast(c.data_type as char), cast(c.column_type as char), cast(c.is_nullable as char),
       cast(c.column_default is not null as char), cast(c.extra as char), cast(c.character_maximum_length as char),
       cast(coalesce(c.numeric_scale, c.datetime_precision) as char), cast(c.collation_name as char),
       cast(t.table_type as char), cast(e.transactions as char)
from information_schema.columns c
join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
left join information_schema.engines e on e.engine = t.engine
where c.table_schema = coalesce(";

const UNIQUES: &str = "
select cast(s.index_name as char), cast(s.column_name as char)
from information_schema.statistics s
where s.non_unique = 0 and s.sub_part is null and s.column_name is not null and s.table_schema = coalesce(";

pub(super) async fn table(cx: &Context, db: &Db, table: &TableName) -> Result<Found, Trouble> {
    let place = |text: &'static str| {
        let mut sql = db.sql(text);
        sql.bind(table.schema.clone().map_or(super::statement::Param::Null, super::statement::Param::Text));
        sql.push(", database()) and ");
        sql
    };
    let mut sql = place(COLUMNS);
    sql.push("c.table_name = ").text_value(&table.name).push(" order by c.ordinal_position");
    let mut found = Found::default();
    for row in db.rows(cx, sql.uncached()).await? {
        let (name, data, full) = (row.word(0)?, row.word(1)?.to_ascii_lowercase(), row.word(2)?.to_ascii_lowercase());
        let mut column = Column::plain(&name, kind(&data, &full));
        let extra = row.word(5)?.to_ascii_lowercase();
        column.nullable = row.word(3)?.eq_ignore_ascii_case("yes");
        column.has_default = row.word(4)? == "1" || extra.contains("default_generated");
        column.generated =
            ["auto_increment", "virtual", "stored", "persistent"].iter().any(|word| extra.contains(word))
                && !extra.contains("default_generated");
        let length = row.text(6)?.and_then(|text| text.parse().ok());
        // The limit of the text types is in bytes, and the database tells.
        column.max_chars = length.filter(|_| matches!(data.as_str(), "char" | "varchar"));
        column.trims = data == "char";
        column.scale = row.text(7)?.and_then(|text| text.parse().ok());
        column.compares = collation(row.text(8)?.as_deref());
        found.view = row.word(9)?.contains("VIEW");
        found.transactional = found.view || row.word(10)?.eq_ignore_ascii_case("yes");
        found.columns.push(column);
    }
    let mut sql = place(UNIQUES);
    sql.push("s.table_name = ").text_value(&table.name);
    sql.push(" order by s.index_name <> 'PRIMARY', s.index_name, s.seq_in_index");
    for row in db.rows(cx, sql.uncached()).await? {
        collect(&mut found.uniques, row.word(0)?, row.word(1)?);
    }
    Ok(found)
}

fn kind(data: &str, full: &str) -> Kind {
    match data {
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => Kind::Text,
        "tinyint" if full.starts_with("tinyint(1)") => Kind::Boolean,
        "bit" if full.starts_with("bit(1)") => Kind::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "year" => Kind::Integer,
        "decimal" | "numeric" => Kind::Number,
        "float" => Kind::Float { single: true },
        "double" | "real" => Kind::Float { single: false },
        "datetime" | "timestamp" => Kind::Timestamp,
        "date" => Kind::Date,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "bit" => Kind::Binary,
        "uuid" => Kind::Uuid,
        "json" => Kind::Json,
        _ => Kind::Other,
    }
}

fn collation(name: Option<&str>) -> Compares {
    match name {
        None => Compares::Exactly,
        Some(name) if name == "binary" || name.ends_with("_nopad_bin") || name == "utf8mb4_0900_bin" => {
            Compares::Exactly
        }
        Some(name) if name.ends_with("_bin") || name.ends_with("_cs") => Compares::PadsBlanks,
        Some(_) => Compares::Folds,
    }
}

/// The columns of a query, without running it. Lengths and collations are not told.
pub(super) async fn describe(cx: &Context, db: &Db, sql: &Sql) -> Result<Vec<Column>, Trouble> {
    cx.check().map_err(Trouble::Stopped)?;
    let Pool::MySql(pool) = &db.pool else { return Ok(Vec::new()) };
    let mut connection = pool.acquire().await?;
    let statement = (&mut *connection).prepare(sqlx::SqlSafeStr::into_sql_str(text_of(sql))).await?;
    let columns = statement.columns().iter().map(|column| {
        let name = column.type_info().name().to_ascii_lowercase();
        let data = name.trim_end_matches(" unsigned");
        let kind = if data == "boolean" { Kind::Boolean } else { kind(data, data) };
        let mut made = Column::plain(column.name(), kind);
        if kind == Kind::Text {
            made.compares = Compares::Folds;
        }
        made
    });
    Ok(columns.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_tell_what_can_return_rows() {
        for (text, version) in [
            ("10.11.6-MariaDB-0+deb12u1", Some((10, 11))),
            ("5.5.5-10.4.1-MariaDB", Some((10, 4))),
            ("8.0.36", None),
            ("11.4.2-MariaDB", Some((11, 4))),
        ] {
            assert_eq!(maria_version(text), version, "{text}");
        }
    }
}
