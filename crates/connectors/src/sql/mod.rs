//! Tables, views and queries of PostgreSQL, MySQL, MariaDB and SQLite as source and target: a class is a table or a query.
//!
//! The way of a statement: `statement` (text, quoting, binding) to `db` (pool, transaction) and back as `row`; `value` is
//! between cells and values, `table` what `catalogue` found out. Reads are `read`, `changes`, `find` and `children`; writes
//! go from `plan` over `write` (transactions) to `batch`, `insert`, `members` and `perform`. `docs.md` is for administrators.

mod address;
mod batch;
mod catalogue;
mod changes;
mod check;
mod children;
mod config;
mod db;
mod fault;
mod filter;
mod find;
mod ident;
mod insert;
mod members;
mod mysql;
mod own;
mod perform;
mod plan;
mod postgres;
mod read;
mod row;
mod schema;
mod select;
mod sqlite;
mod statement;
mod table;
mod value;
mod write;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, Connector, ConnectorError, Context, Enablement, ErrorCode,
    FindRequest, Host, LookupRequest, Manifest, Page, Rerouted, Scan, ScanMode, ScanRequest, Session, SettingProblem,
    Settings,
};
use provost_model::{AttributePath, ObjectId, Operation, Record, Schema, Text};

use config::{ClassConfig, Config};
use db::{Db, Trouble};
use statement::Dialect;
use table::{Changes, Table};

/// Operations in one transaction.
const MAX_BATCH: usize = 1_000;

/// Values in one lookup.
const MAX_LOOKUP: usize = 1_000;

/// The `sql` connector.
#[derive(Debug)]
pub struct SqlConnector {
    manifest: Manifest,
}

impl Default for SqlConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "sql".into(),
                title: "SQL database".into(),
                description: "Tables, views and queries of PostgreSQL, MySQL, MariaDB and SQLite".into(),
                source: true,
                target: true,
            },
        }
    }
}

/// Connections that a session may have open: its calls, and the reads that hold one for long.
fn connections(config: &Config) -> u32 {
    u32::try_from(config.max_in_flight).unwrap_or(u32::MAX).saturating_add(2)
}

#[async_trait]
impl Connector for SqlConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        config::read(settings).err().unwrap_or_default()
    }

    fn rerouted(&self, settings: &Settings, to: SocketAddr) -> Option<Rerouted> {
        let ports = [("postgres", 5432), ("postgresql", 5432), ("mysql", 3306), ("mariadb", 3306)];
        settings.rerouted("url", &ports, to)
    }

    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let mut config = config::require(&settings)?;
        let password = match &config.password {
            Some(handle) => Some(host.secret(&handle.secret).await?),
            None => None,
        };
        let dialect = config.address.dialect();
        let connecting = async {
            match dialect {
                Dialect::Postgres => postgres::connect(&config, password.as_ref()).await,
                Dialect::MySql => mysql::connect(&config, password.as_ref()).await,
                Dialect::Sqlite => sqlite::connect(&config).await,
            }
        };
        let what = format!("connecting to {}", config.address.label());
        let db = match tokio::time::timeout(config.timeout, connecting).await {
            Ok(Ok(db)) => db,
            Ok(Err(error)) => {
                let mut error = fault::read(Trouble::Db(error), &what);
                // Nobody was lost who had not been reached.
                if error.code == ErrorCode::Unavailable {
                    error.hint = Some("check host, port, firewall and `tls`, and whether the database runs".to_owned());
                }
                return Err(error);
            }
            Err(_) => {
                return Err(ConnectorError::new(ErrorCode::Unavailable, format!("{what}: no answer in time"))
                    .hint("check host, port and firewall, or raise `timeout`"));
            }
        };
        let classes: Vec<Arc<ClassConfig>> = std::mem::take(&mut config.classes).into_iter().map(Arc::new).collect();
        let cx = Context::new("configure");
        let tables = catalogue::read(&cx, &db, &classes).await?;
        let capabilities = capabilities(&config, &tables, &classes);
        let tables = RwLock::new(tables.into_iter().map(Arc::new).collect());
        let file = match &config.address {
            address::Address::File(path) => Some(path.clone()),
            address::Address::Server { .. } => None,
        };
        Ok(Arc::new(SqlSession { db, classes, tables, capabilities, file }))
    }
}

fn capabilities(config: &Config, tables: &[Table], classes: &[Arc<ClassConfig>]) -> Capabilities {
    use provost_model::Action;
    let one = |(table, class): (&Table, &Arc<ClassConfig>)| {
        let can = |action| table.writable && (table.table().is_some() || class.statements.of(action).is_some());
        let enablement = table.enabled.as_ref().filter(|_| can(Action::Disable) && can(Action::Enable));
        let columns = table.columns.iter().filter(|column| find::can_look_up(column));
        let children = table.children.iter().map(|child| &child.value).filter(|column| find::can_look_up(column));
        ClassCapabilities {
            name: table.class.clone(),
            scan: true,
            changes: table.changes.is_some(),
            create: can(Action::Create),
            update: can(Action::Update),
            delete: can(Action::Delete),
            enablement: enablement.map(|enabled| Enablement {
                path: AttributePath::name(table.columns[enabled.column].attribute.clone()),
                on: enabled.on.clone(),
                off: enabled.off.clone(),
            }),
            lookup: columns.chain(children).map(|column| column.attribute.clone()).collect(),
            count: true,
            references_in_create: true,
            ..ClassCapabilities::default()
        }
    };
    Capabilities {
        classes: tables.iter().zip(classes).map(one).collect(),
        max_in_flight: config.max_in_flight,
        max_batch: MAX_BATCH,
        max_lookup: MAX_LOOKUP,
        ..Capabilities::default()
    }
}

struct SqlSession {
    db: Db,
    classes: Vec<Arc<ClassConfig>>,
    /// In the order of `classes`; read anew by every look at the schema.
    tables: RwLock<Vec<Arc<Table>>>,
    capabilities: Capabilities,
    /// SQLite's.
    file: Option<std::path::PathBuf>,
}

impl SqlSession {
    fn tables(&self) -> Vec<Arc<Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn table(&self, class: &str) -> Result<Arc<Table>, ConnectorError> {
        let tables = self.tables();
        let found = tables.iter().find(|table| table.class.eq_ignore_ascii_case(class)).cloned();
        found.ok_or_else(|| {
            let names: Vec<&str> = tables.iter().map(|table| table.class.as_str()).collect();
            ConnectorError::new(ErrorCode::NotSupported, format!("the connection has no class `{class}`"))
                .hint(format!("its classes are {}", names.join(", ")))
        })
    }
}

impl Drop for SqlSession {
    fn drop(&mut self) {
        // Connections are closed in an orderly way while there is somebody to do it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let db = self.db.clone();
            runtime.spawn(async move { db.close().await });
        }
    }
}

#[async_trait]
impl Session for SqlSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        let tables: Vec<Arc<Table>> =
            catalogue::read(cx, &self.db, &self.classes).await?.into_iter().map(Arc::new).collect();
        let schema = schema::of(tables.iter().map(AsRef::as_ref));
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = tables;
        Ok(schema)
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        let tables = self.tables();
        check::run(cx, &self.db, tables.iter().map(AsRef::as_ref)).await
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        find::get(cx, &mut children::Asked::Db(&self.db), &*self.table(class)?, id).await
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        find::find(cx, &self.db, &*self.table(&request.class)?, &request).await
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        find::lookup(cx, &self.db, &*self.table(&request.class)?, &request).await
    }

    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        find::count(cx, &self.db, &*self.table(class)?).await
    }

    /// The highest watermark, or a SQLite file's date and length.
    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<Text>, ConnectorError> {
        let table = self.table(class)?;
        if let Some(file) = &self.file {
            return Ok(sqlite::stamp(file).await);
        }
        Ok(changes::latest(cx, &self.db, &table).await?.map(Text::from))
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let table = self.table(&request.class)?;
        let cursor = match &request.mode {
            ScanMode::Full => return Ok(Box::new(read::start(cx, &self.db, table, &request, None).await?)),
            ScanMode::Changes { cursor } => cursor,
        };
        match (&table.changes, cursor) {
            (None, _) => {
                Err(ConnectorError::new(ErrorCode::NotSupported, format!("{} tells no changes", table.label()))
                    .hint("set `changes:`, or read it in full; unchanged rows are told by their digest"))
            }
            (Some(_), None) => Ok(Box::new(read::Nothing(changes::now(cx, &self.db, &table).await?))),
            (Some(Changes::Watermark { column, overlap }), Some(cursor)) => {
                let since = changes::Since::new(*column, *overlap, cursor)?;
                Ok(Box::new(read::start(cx, &self.db, table, &request, Some(since)).await?))
            }
            (Some(Changes::History(_)), Some(cursor)) => {
                Ok(Box::new(changes::open_feed(cx, &self.db, table.clone(), &request, cursor).await?))
            }
        }
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let tables: Vec<_> = self.tables().into_iter().zip(self.classes.iter().cloned()).collect();
        write::apply(cx, &self.db, &tables, operations).await
    }
}
