//! The connection that a job reads: objects as they are, and the operations since a place in the feed. Nothing is written
//! here; a push connection is no target.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Cursor, ErrorCode, FindRequest,
    Page, Scan, ScanRequest, Scope, Session,
};
use provost_model::{ConnectionName, ObjectId, Operation, Record, Schema, Text};
use provost_scim::filter::Missing;
use provost_scim::{Registry, ResourceFilter, TypeSchema};
use provost_store::{Store, StoreError};

use crate::object;
use crate::scan::{PAGE, PushScan};
use crate::settings::{Settings, schema};

/// A session of the push connection of this name.
pub fn session(store: Store, name: ConnectionName, settings: &Settings, registry: Registry) -> Arc<dyn Session> {
    let class = |types: &Arc<TypeSchema>| ClassCapabilities {
        name: types.name().into(),
        scan: true,
        changes: true,
        count: true,
        ..ClassCapabilities::default()
    };
    let capabilities = Capabilities {
        classes: registry.types().iter().map(class).collect(),
        max_in_flight: 2,
        ..Capabilities::default()
    };
    let schema = schema(settings, &registry);
    Arc::new(PushSession { feed: Feed { store, name }, registry, schema, capabilities })
}

/// Whose rows of the store are meant.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub store: Store,
    pub name: ConnectionName,
}

struct PushSession {
    feed: Feed,
    registry: Registry,
    schema: Schema,
    capabilities: Capabilities,
}

impl PushSession {
    fn types(&self, class: &str) -> Result<&Arc<TypeSchema>, ConnectorError> {
        self.registry.by_name(class).ok_or_else(|| {
            let names: Vec<&str> = self.registry.types().iter().map(|types| types.name()).collect();
            ConnectorError::new(ErrorCode::InvalidConfig, format!("nothing of class `{class}` can be pushed"))
                .hint(format!("there are: {}", names.join(", ")))
                .scope(Scope::Class)
        })
    }
}

#[async_trait]
impl Session for PushSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, _cx: &Context) -> Result<Schema, ConnectorError> {
        Ok(self.schema.clone())
    }

    async fn test(&self, _cx: &Context) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for types in self.registry.types() {
            match self.feed.store.push_count(&self.feed.name, types.name()).await {
                Ok(0) => {}
                Ok(count) => {
                    results.push(CheckResult::ok("pushed", format!("{count} objects of class `{}`", types.name())));
                }
                Err(error) => results.push(CheckResult::fail("store", &store_error(&error))),
            }
        }
        if results.is_empty() {
            results.push(CheckResult::ok("pushed", "nothing was pushed yet"));
        }
        results
    }

    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<Text>, ConnectorError> {
        cx.check()?;
        let last = self.feed.store.push_last(&self.feed.name, self.types(class)?.name()).await;
        Ok(Some(last.map_err(|error| store_error(&error))?.to_string().into()))
    }

    async fn changed(&self, cx: &Context, class: &str, seen: &str, patience: Duration) -> Result<(), ConnectorError> {
        let (feed, types) = (&self.feed, self.types(class)?);
        let name = types.name();
        let waited = feed
            .store
            .wait_for(patience, || async { Ok(feed.store.push_last(&feed.name, name).await?.to_string() != seen) });
        tokio::select! {
            () = cx.cancel.cancelled() => cx.check(),
            waited = waited => waited.map_err(|error| store_error(&error)),
        }
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        cx.check()?;
        let types = self.types(class)?;
        let row = self.feed.store.push_record(&self.feed.name, types.name(), id).await;
        let Some(row) = row.map_err(|error| store_error(&error))? else { return Ok(None) };
        object::record(types, &row.source_id, &row.body).map(Some).map_err(|error| store_error(&error))
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        let types = self.types(&request.class)?;
        let refused = |error: provost_scim::ScimError| ConnectorError::new(ErrorCode::NotSupported, error.to_string());
        let filter = ResourceFilter::compile(&request.filter, types, Missing::Refuse).map_err(refused)?;
        let limit = request.page_size.clamp(1, PAGE);
        let mut after = request.cursor.map_or_else(Text::default, |cursor| cursor.0);
        let mut page = Page::default();
        loop {
            cx.check()?;
            let rows = self.feed.store.push_page(&self.feed.name, types.name(), &after, PAGE as i64).await;
            let rows = rows.map_err(|error| store_error(&error))?;
            let is_last = rows.len() < PAGE;
            for row in rows {
                let mut stored = object::parse(&row.body).map_err(|error| store_error(&error))?;
                stored.set("id", row.source_id.0.clone());
                if filter.matches(&stored) {
                    if page.records.len() == limit {
                        page.next = Some(Cursor(after));
                        return Ok(page);
                    }
                    let record = object::record(types, &row.source_id, &row.body);
                    page.records.push(record.map_err(|error| store_error(&error))?);
                }
                after = row.source_id.0;
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    async fn count(&self, _cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        let count = self.feed.store.push_count(&self.feed.name, self.types(class)?.name()).await;
        Ok(count.map_err(|error| store_error(&error))?.unsigned_abs())
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        cx.check()?;
        let types = self.types(&request.class)?.clone();
        Ok(Box::new(PushScan::start(self.feed.clone(), types, request).await?))
    }

    async fn apply(&self, _cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let refusal = || ConnectorError::new(ErrorCode::NotSupported, "a push connection is a source alone");
        operations.iter().map(|operation| Applied::failed(operation.id.clone(), refusal())).collect()
    }
}

/// The database's trouble is the job's.
pub(crate) fn store_error(error: &StoreError) -> ConnectorError {
    let code = match error {
        StoreError::Corrupt { .. } | StoreError::Nul(_) | StoreError::Refused(_) => ErrorCode::Internal,
        _ => ErrorCode::Unavailable,
    };
    ConnectorError::new(code, format!("what was pushed cannot be read: {error}")).scope(Scope::Job)
}
