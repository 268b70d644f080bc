//! One configured connection.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ConnectorError, Context, FindRequest, LookupRequest, Page, Scan, ScanMode,
    ScanRequest, Session,
};
use provost_model::{ObjectId, Operation, Record, Schema, Text};

use super::config::Config;
use super::feed::{ChangeRead, Feed, Known};
use super::names::Names;
use super::read::FullRead;
use super::shape::Shape;
use super::wire::Wire;
use super::{changelog, check, sync, usn, write};

/// What its scans outlive it with.
pub struct Inner {
    pub config: Arc<Config>,
    pub wire: Wire,
    pub shape: Shape,
    pub names: Names,
    pub known: Known,
}

pub struct LdapSession {
    inner: Arc<Inner>,
    schema: Schema,
    capabilities: Capabilities,
}

impl LdapSession {
    pub fn new(config: Arc<Config>, wire: Wire, shape: Shape) -> Self {
        let (schema, capabilities) = (shape.schema(), shape.capabilities(&config));
        Self {
            inner: Arc::new(Inner { config, wire, shape, names: Names::default(), known: Known::default() }),
            schema,
            capabilities,
        }
    }
}

#[async_trait]
impl Session for LdapSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        cx.check()?;
        Ok(self.schema.clone())
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        check::run(cx, &self.inner).await
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.inner.get(cx, class, id).await
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.inner.find(cx, request).await
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.inner.lookup(cx, request).await
    }

    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<Text>, ConnectorError> {
        let (shape, wire) = (self.inner.class(class)?, &self.inner.wire);
        let revision = match shape.feed {
            Some(Feed::Sync) => sync::newest(cx, wire, &self.inner.shape.contexts).await?,
            Some(Feed::Changelog) => changelog::newest(cx, wire).await?,
            Some(Feed::Usn) => usn::newest(cx, wire, &shape.class.base).await?,
            None => None,
        };
        Ok(revision.map(Text::from))
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let class = self.inner.class(&request.class)?.class.name.clone();
        let at = self.inner.shape.classes.iter().position(|shape| shape.class.name == class).unwrap_or_default();
        match &request.mode {
            ScanMode::Full => Ok(Box::new(FullRead::open(cx, self.inner.clone(), at, &request).await?)),
            ScanMode::Changes { cursor } => {
                Ok(Box::new(ChangeRead::open(cx, self.inner.clone(), at, &request, cursor.as_ref()).await?))
            }
        }
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        write::apply(cx, &self.inner, operations).await
    }
}
