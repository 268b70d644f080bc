//! Files as source and target: one file is one class.
//!
//! The way of a byte: `input` (open, decode, doubt), a format's reader behind the seam `format`, then `read` (scan), `find` or
//! `write`. Delimited text is `rows` (split), `table` (header, key, record or fault) and `delimited`; the other formats give
//! `tree` their records. No change feed but in files of changes: the engine compares digests, and rows it knows cost a hash.
//! `docs.md` is for administrators.

mod cell;
mod check;
mod config;
mod delimited;
mod fault;
mod find;
mod fixed;
mod format;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod json;
mod jsonl;
mod ldif;
mod lines;
mod read;
mod rows;
mod schema;
mod seen;
mod shape;
mod sheet;
mod table;
mod tree;
mod whole;
mod write;
mod xml;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, Connector, ConnectorError, Context, Enablement, ErrorCode,
    FindRequest, Host, LookupRequest, Manifest, Page, Scan, ScanMode, ScanRequest, Session, SettingProblem, Settings,
};
use provost_model::{AttributePath, ObjectId, Operation, Record, Schema};

use config::Config;

/// Operations that one write of the file takes.
const MAX_BATCH: usize = 20_000;

/// The `file` connector.
#[derive(Debug)]
pub struct FileConnector {
    manifest: Manifest,
}

impl Default for FileConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "file".into(),
                title: "File".into(),
                description: "CSV, fixed columns, JSON lines and LDIF, read and written; XML and spreadsheets, read"
                    .into(),
                source: true,
                target: true,
            },
        }
    }
}

#[async_trait]
impl Connector for FileConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        config::read(settings).err().unwrap_or_default()
    }

    /// The header of the file, where it can be read now.
    fn known_schema(&self, settings: &Settings) -> Option<Schema> {
        schema::read(&Arc::new(config::read(settings).ok()?)).ok()
    }

    async fn configure(&self, settings: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let config = config::read(&settings).map_err(|problems| match problems.into_iter().next() {
            Some(problem) => problem.into(),
            None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
        })?;
        Ok(Arc::new(FileSession { capabilities: capabilities(&config), config: Arc::new(config) }))
    }
}

fn capabilities(config: &Config) -> Capabilities {
    let enablement = config.enabled.as_ref().filter(|_| config.write).map(|enabled| Enablement {
        path: path_of(config, &attribute(config, &enabled.column)),
        on: enabled.on.clone(),
        off: enabled.off.clone(),
    });
    let class = ClassCapabilities {
        name: config.class.clone(),
        scan: true,
        changes: config.shape.changes && !config.write,
        create: config.write,
        update: config.write,
        delete: config.write,
        enablement,
        references_in_create: true,
        ..ClassCapabilities::default()
    };
    // No attribute is named under `lookup`: each question is a pass over the file, so reading it once is better. What was
    // found so is fetched by the page.
    Capabilities {
        classes: vec![class],
        max_in_flight: 4,
        max_batch: MAX_BATCH,
        max_lookup: MAX_BATCH,
        ..Capabilities::default()
    }
}

/// The attribute of a column that a setting names by its header or by its attribute.
fn attribute(config: &Config, column: &str) -> provost_model::Text {
    let renamed = config.rename.iter().find(|(header, _)| header.eq_ignore_ascii_case(column));
    renamed.map_or_else(|| column.into(), |(_, attribute)| attribute.clone())
}

/// An attribute's name as a path: where values are trees, the place of a value in them.
fn path_of(config: &Config, name: &str) -> AttributePath {
    if config.format.is_nested() { tree::path(name) } else { AttributePath::name(name) }
}

/// The attribute that a path means: a plain name as it stands, anything else by its text.
fn column_name(path: &AttributePath) -> Cow<'_, str> {
    if path.is_plain() { Cow::Borrowed(&path.name) } else { Cow::Owned(path.to_string()) }
}

struct FileSession {
    config: Arc<Config>,
    capabilities: Capabilities,
}

impl FileSession {
    fn refuse_class(&self, class: &str) -> Result<(), ConnectorError> {
        let have = &self.config.class;
        if have.eq_ignore_ascii_case(class) {
            return Ok(());
        }
        let message = format!("{} holds objects of class `{have}`, not `{class}`", self.config.file);
        Err(ConnectorError::new(ErrorCode::NotSupported, message).hint(format!("use `{have}`, or set class: {class}")))
    }
}

#[async_trait]
impl Session for FileSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        let config = self.config.clone();
        blocking(cx, move || schema::read(&config)).await
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        let config = self.config.clone();
        match blocking(cx, move || Ok(check::run(&config))).await {
            Ok(checks) => checks,
            Err(error) => vec![CheckResult::fail("file", &error)],
        }
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.refuse_class(class)?;
        find::get(cx, self.config.clone(), id.clone()).await
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.refuse_class(&request.class)?;
        find::find(cx, self.config.clone(), request).await
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.refuse_class(&request.class)?;
        find::lookup(cx, self.config.clone(), request).await
    }

    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<provost_model::Text>, ConnectorError> {
        self.refuse_class(class)?;
        let config = self.config.clone();
        blocking(cx, move || {
            Ok(std::fs::metadata(&config.path).ok().map(|meta| find::print(&input::Stamp::of(&meta)).into()))
        })
        .await
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        self.refuse_class(&request.class)?;
        if let ScanMode::Changes { cursor } = request.mode {
            if self.capabilities.classes.iter().any(|class| class.changes) {
                return Ok(Box::new(read::changes(cx, self.config.clone(), cursor).await?));
            }
            return Err(ConnectorError::new(ErrorCode::NotSupported, "a file has no change feed")
                .hint("read it in full; unchanged rows are told by their digest"));
        }
        Ok(Box::new(read::scan(cx, self.config.clone(), request).await?))
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        write::apply(cx, self.config.clone(), operations).await
    }
}

/// Whether a target file has never been written, so that it counts as empty. A file that was written before and is gone
/// is an error: it would otherwise look like a target without accounts.
fn is_yet_to_come(config: &Config) -> Result<bool, ConnectorError> {
    if !config.write || config.path.exists() {
        return Ok(false);
    }
    if config.shape.write_changes {
        // Whoever applies the changes may take the file away.
        return Ok(true);
    }
    match write::was_written(&config.path) {
        None => Ok(true),
        Some(mark) => {
            let message = format!("`{}` was written before and is gone", config.path.display());
            let hint = format!("restore it; or remove `{}` as well to begin anew", mark.display());
            Err(ConnectorError::new(ErrorCode::Unavailable, message).hint(hint))
        }
    }
}

/// Runs file work off the async threads, and stops waiting when the caller does.
async fn blocking<T: Send + 'static>(
    cx: &Context,
    work: impl FnOnce() -> Result<T, ConnectorError> + Send + 'static,
) -> Result<T, ConnectorError> {
    cx.check()?;
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => done.unwrap_or_else(|error| {
            Err(ConnectorError::new(ErrorCode::Internal, format!("the file reader stopped: {error}")))
        }),
        error = interrupted(cx) => Err(error),
    }
}

/// Waits until the caller no longer does.
async fn interrupted(cx: &Context) -> ConnectorError {
    let deadline = async {
        match cx.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = cx.cancel.cancelled() => ConnectorError::new(ErrorCode::Cancelled, "cancelled"),
        () = deadline => ConnectorError::new(ErrorCode::Timeout, "the deadline passed while the file was read"),
    }
}
