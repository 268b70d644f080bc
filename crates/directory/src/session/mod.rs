//! The directory as the engine sees it: a connection with the classes `User` and `Group`, as source and as target.
//!
//! Nothing here writes by itself: [`apply`] turns operations into the writes of [`crate::write`]. References are values of
//! their own on this side: a user's `manager` and a group's `members`.

mod apply;
mod error;
mod lookup;
mod place;
mod record;
mod scan;
pub(crate) mod schema;

use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ConnectorError, Context, Cursor, FindRequest, LookupRequest, Page, Scan,
    ScanRequest, Session,
};
use provost_model::{ObjectId, Operation, Record, Schema};
use provost_store::Lookup;

use crate::directory::storable;
use crate::kind::Kind;
use crate::{Directory, Walk};

use error::{store_error, to_connector};

/// A session of the directory; as cheap as a clone of it.
pub(crate) struct DirectorySession {
    directory: Directory,
    capabilities: Capabilities,
}

impl DirectorySession {
    pub fn new(directory: Directory) -> Self {
        let capabilities = schema::capabilities(directory.kinds());
        Self { directory, capabilities }
    }

    fn kind(&self, class: &str) -> Result<&Kind, ConnectorError> {
        self.directory.kind(class).ok_or_else(|| error::unknown_class(class))
    }
}

#[async_trait]
impl Session for DirectorySession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, _cx: &Context) -> Result<Schema, ConnectorError> {
        Ok(schema::all(self.directory.kinds()))
    }

    async fn test(&self, _cx: &Context) -> Vec<CheckResult> {
        let found = self.directory.store().directory_seq().await;
        vec![match found {
            Ok(seq) => CheckResult::ok("directory", format!("reachable; {seq} changes so far")),
            Err(error) => CheckResult::fail("directory", &store_error(&error)),
        }]
    }

    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<provost_model::Text>, ConnectorError> {
        cx.check()?;
        self.kind(class)?;
        let seq = self.directory.store().directory_seq().await.map_err(|error| store_error(&error))?;
        Ok(Some(seq.to_string().into()))
    }

    async fn changed(&self, cx: &Context, class: &str, seen: &str, patience: Duration) -> Result<(), ConnectorError> {
        self.kind(class)?;
        let store = self.directory.store();
        let waited = store.wait_for(patience, || async { Ok(store.directory_seq().await?.to_string() != seen) });
        tokio::select! {
            () = cx.cancel.cancelled() => cx.check(),
            waited = waited => waited.map_err(|error| store_error(&error)),
        }
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        cx.check()?;
        let kind = self.kind(class)?;
        let rows = self.directory.store().resources_by(&kind.name, Lookup::Id, storable(&[id.as_str()])).await;
        let rows = rows.map_err(|error| store_error(&error))?;
        Ok(record::records(&self.directory, kind, rows).await?.pop())
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        cx.check()?;
        let kind = self.kind(&request.class)?;
        let after = request.cursor.as_ref().map(|cursor| ObjectId(cursor.0.clone()));
        let walk = Walk::by_id(after, request.page_size.clamp(1, scan::PAGE), true);
        let page = self.directory.walk(&kind.name, Some(&request.filter), walk).await;
        let page = page.map_err(|error| match error {
            // The filter cannot be evaluated exactly.
            crate::DirectoryError::Scim(error) => error::unsupported(&error),
            other => to_connector(&other),
        })?;
        let records = record::from_resources(&self.directory, kind, page.resources, &request.requested).await?;
        Ok(Page { records, next: page.next.map(|next| Cursor(next.id.0)) })
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        cx.check()?;
        lookup::run(&self.directory, self.kind(&request.class)?, cx, &request).await
    }

    async fn count(&self, _cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        let kind = self.kind(class)?;
        let store = self.directory.store();
        // An empty class is recognised without reading an index to its end.
        if !store.has_resources(&kind.name).await.map_err(|error| store_error(&error))? {
            return Ok(0);
        }
        let count = store.count_resources(&kind.name).await.map_err(|error| store_error(&error))?;
        Ok(count.max(0) as u64)
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        cx.check()?;
        let kind = self.kind(&request.class)?.name.clone();
        Ok(Box::new(scan::DirectoryScan::start(self.directory.clone(), kind, request).await?))
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        apply::run(&self.directory, cx, operations).await
    }
}
