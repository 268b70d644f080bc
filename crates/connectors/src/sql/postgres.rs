//! PostgreSQL: how to connect, what its catalogue says, what its errors mean.

use provost_connector::{Context, Secret};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Column as _, ConnectOptions as _, Connection as _, Error, Executor as _, Statement as _, TypeInfo as _};

use super::address::Address;
use super::catalogue::{Found, collect, text_of};
use super::config::{Config, Tls};
use super::db::{Db, Pool, Trouble};
use super::statement::{Dialect, Sql, TableName, Verbatim, quote};
use super::table::{Column, Compares, Kind};

/// The pool tries a refused connection again until its time is up, and then only says that it was; so one is asked for first.
pub(super) async fn connect(config: &Config, password: Option<&Secret>) -> Result<Db, Error> {
    let Address::Server { host, port, database, user, .. } = &config.address else {
        return Err(Error::Configuration("the address is no server's".into()));
    };
    let mode = match config.tls {
        Tls::Off => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::Verify => PgSslMode::VerifyFull,
    };
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(*port)
        .ssl_mode(mode)
        .application_name("provost")
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
        options = options.ssl_root_cert(ca);
    }
    options.connect().await?.close().await?;
    let pool: PgPool = PgPoolOptions::new()
        .max_connections(super::connections(config))
        .acquire_timeout(config.timeout)
        .connect_lazy_with(options);
    Ok(Db { pool: Pool::Postgres(pool), timeout: config.timeout, returning: true })
}

/// A domain counts as what it is made of; its modifier is its own.
const COLUMNS: &str = "
select a.attname::text, b.typname::text, format_type(b.oid, -1), b.typcategory::text, b.typtype::text,
       e.typname::text, e.typtype::text,
       (case when t.typtype = 'd' then t.typtypmod else a.atttypmod end)::text,
       (a.attnotnull or t.typnotnull)::text, (a.atthasdef or t.typdefault is not null)::text,
       (a.attidentity <> '' or a.attgenerated <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid), '') like 'nextval(%')::text,
       coalesce(c.collisdeterministic, true)::text, r.relkind::text
from pg_attribute a
join pg_class r on r.oid = a.attrelid
join pg_type t on t.oid = a.atttypid
join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_collation c on c.oid = a.attcollation
where a.attrelid = to_regclass(";

const UNIQUES: &str = "
select c.relname::text, a.attname::text
from pg_index i
join pg_class c on c.oid = i.indexrelid
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
  and i.indrelid = to_regclass(";

pub(super) async fn table(cx: &Context, db: &Db, table: &TableName) -> Result<Found, Trouble> {
    let mut name = String::new();
    if let Some(schema) = &table.schema {
        name.push_str(&quote(Dialect::Postgres, schema));
        name.push('.');
    }
    name.push_str(&quote(Dialect::Postgres, &table.name));
    let mut sql = db.sql(COLUMNS);
    sql.text_value(&name).push(") and a.attnum > 0 and not a.attisdropped order by a.attnum");
    let mut found = Found { transactional: true, ..Found::default() };
    for row in db.rows(cx, sql.uncached()).await? {
        let element = row.text(5)?;
        let array = element.is_some();
        let (name, typname) = (row.word(0)?, element.unwrap_or(row.word(1)?));
        let typtype = if array { row.word(6)? } else { row.word(4)? };
        let modifier = row.number(7)?;
        let kind = kind(&typname, &typtype);
        let mut column = Column::plain(&name, kind);
        column.array = array;
        let is_text = matches!(typname.as_str(), "text" | "varchar" | "bpchar" | "name");
        column.cast = (array || !is_text).then_some(Verbatim(row.word(2)?));
        column.nullable = row.word(8)? != "true";
        column.has_default = row.word(9)? == "true";
        column.generated = row.word(10)? == "true";
        column.compares = match (typname.as_str(), row.word(11)?.as_str()) {
            ("citext", _) => Compares::FoldsAscii,
            (_, "true") => Compares::Exactly,
            _ => Compares::Unknown,
        };
        column.trims = typname == "bpchar";
        // Modifiers: the length and 4; the scale in the low bits and 4; the digits of a second.
        column.max_chars = (matches!(typname.as_str(), "varchar" | "bpchar") && modifier > 4)
            .then(|| usize::try_from(modifier - 4).ok())
            .flatten();
        column.scale = match kind {
            Kind::Number if modifier >= 4 => {
                usize::try_from((modifier - 4) & 0x7ff).ok().filter(|scale| *scale <= 1000)
            }
            Kind::Timestamp if modifier >= 0 => usize::try_from(modifier).ok(),
            Kind::Timestamp => Some(6),
            _ => None,
        };
        found.view = matches!(row.word(12)?.as_str(), "v" | "m");
        found.columns.push(column);
    }
    let mut sql = db.sql(UNIQUES);
    sql.text_value(&name).push(") order by i.indisprimary desc, c.relname, k.place");
    for row in db.rows(cx, sql.uncached()).await? {
        collect(&mut found.uniques, row.word(0)?, row.word(1)?);
    }
    Ok(found)
}

fn kind(typname: &str, typtype: &str) -> Kind {
    match (typname, typtype) {
        ("text" | "varchar" | "bpchar" | "name" | "citext", _) => Kind::Text,
        ("int2" | "int4" | "int8" | "oid", _) => Kind::Integer,
        ("numeric", _) => Kind::Number,
        ("float4", _) => Kind::Float { single: true },
        ("float8", _) => Kind::Float { single: false },
        ("bool", _) => Kind::Boolean,
        ("timestamp" | "timestamptz", _) => Kind::Timestamp,
        ("date", _) => Kind::Date,
        ("bytea", _) => Kind::Binary,
        ("uuid", _) => Kind::Uuid,
        ("json" | "jsonb", _) => Kind::Json,
        _ => Kind::Other,
    }
}

/// The columns of a query, without running it.
pub(super) async fn describe(cx: &Context, db: &Db, sql: &Sql) -> Result<Vec<Column>, Trouble> {
    cx.check().map_err(Trouble::Stopped)?;
    let Pool::Postgres(pool) = &db.pool else { return Ok(Vec::new()) };
    let mut connection = pool.acquire().await?;
    let statement = (&mut *connection).prepare(sqlx::SqlSafeStr::into_sql_str(text_of(sql))).await?;
    let columns = statement.columns().iter().map(|column| {
        let name = column.type_info().name().to_ascii_lowercase();
        let array = name.ends_with("[]");
        let element = match name.trim_end_matches("[]") {
            "char" => "bpchar",
            other => other,
        };
        let mut made = Column::plain(column.name(), kind(element, "b"));
        let is_text = matches!(element, "text" | "varchar" | "bpchar" | "name");
        made.array = array;
        made.trims = element == "bpchar";
        // A type that is not built in may be anything; it is compared as text, by what the code sees.
        let known = made.kind != Kind::Other;
        made.cast = (known && (array || !is_text)).then(|| Verbatim(name.clone()));
        made.compares = match (element, known) {
            ("citext", _) => Compares::FoldsAscii,
            (_, true) => Compares::Exactly,
            _ => Compares::Unknown,
        };
        made
    });
    Ok(columns.collect())
}
