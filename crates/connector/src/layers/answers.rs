//! Holds a session to what it owes: one result for each operation and for each value, in their order.
//!
//! The engine pairs results with what it asked by place. A connector that answers too little, too much or in another order (a
//! script that skips a row, a batch whose answer was cut off) would otherwise have the outcome of one person written down as
//! that of another. What is missing counts as unknown, so that it is looked for before it is sent again.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use provost_model::{ObjectId, Operation, Record, Schema};

use crate::*;

const HINT: &str = "this is a defect of the connector: it has to answer each operation once";

/// Nearest the session, so that all other layers can rely on it.
pub struct Answers {
    inner: Arc<dyn Session>,
}

impl Answers {
    pub fn new(inner: Arc<dyn Session>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl Session for Answers {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.inner.schema(cx).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.inner.test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.inner.get(cx, class, id).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.inner.find(cx, request).await
    }
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let asked = request.values.len();
        let found = self.inner.lookup(cx, request).await?;
        if found.len() == asked {
            return Ok(found);
        }
        let message = format!("the connector was asked for {asked} values and answered for {}", found.len());
        Err(ConnectorError::new(ErrorCode::Protocol, message).hint(HINT))
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.inner.count(cx, class).await
    }
    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<provost_model::Text>, ConnectorError> {
        self.inner.revision(cx, class).await
    }
    async fn changed(
        &self,
        cx: &Context,
        class: &str,
        seen: &str,
        patience: std::time::Duration,
    ) -> Result<(), ConnectorError> {
        self.inner.changed(cx, class, seen, patience).await
    }
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        self.inner.scan(cx, request).await
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let results = self.inner.apply(cx, operations).await;
        let in_order = || operations.iter().zip(&results).all(|(operation, result)| result.operation == operation.id);
        if results.len() == operations.len() && in_order() {
            return results;
        }
        let mut by_id: HashMap<_, _> = results.into_iter().map(|result| (result.operation.clone(), result)).collect();
        let result_of = |operation: &Operation| {
            by_id.remove(&operation.id).unwrap_or_else(|| {
                let message = "the connector gave no result for this operation; it may have been done";
                let error = ConnectorError::new(ErrorCode::UnknownOutcome, message).hint(HINT);
                Applied::failed(operation.id.clone(), error)
            })
        };
        operations.iter().map(result_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use provost_model::{Action, Value};

    use super::*;

    /// Answers from the last operation to the second; of two values it looks up one.
    struct Sloppy(Capabilities);

    #[async_trait]
    impl Session for Sloppy {
        fn capabilities(&self) -> &Capabilities {
            &self.0
        }
        async fn schema(&self, _: &Context) -> Result<Schema, ConnectorError> {
            Ok(Schema::default())
        }
        async fn test(&self, _: &Context) -> Vec<CheckResult> {
            Vec::new()
        }
        async fn get(&self, _: &Context, _: &str, _: &ObjectId) -> Result<Option<Record>, ConnectorError> {
            Ok(None)
        }
        async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
            Ok(Page::default())
        }
        async fn lookup(&self, _: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
            Ok(request.values.iter().skip(1).map(|_| Vec::new()).collect())
        }
        async fn scan(&self, _: &Context, _: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
            Err(ConnectorError::new(ErrorCode::NotSupported, "no scan"))
        }
        async fn apply(&self, _: &Context, operations: &[Operation]) -> Vec<Applied> {
            let done = |operation: &Operation| {
                let target_id = format!("of {}", operation.id).into();
                Applied::done(operation.id.clone(), Done { target_id, ..Done::default() })
            };
            operations.iter().skip(1).rev().map(done).collect()
        }
    }

    fn operation(id: &str) -> Operation {
        Operation {
            id: id.into(),
            class: "User".into(),
            action: Action::Create,
            target_id: None,
            changes: Vec::new(),
            if_match: None,
        }
    }

    #[tokio::test]
    async fn each_operation_gets_its_own_result() {
        let session = Answers::new(Arc::new(Sloppy(Capabilities::default())));
        let results = session.apply(&Context::default(), &["a", "b", "c"].map(operation)).await;
        let told = results.into_iter().map(|result| match result.outcome {
            Outcome::Done(done) => (result.operation.to_string(), done.target_id.to_string()),
            Outcome::Failed(error) => (result.operation.to_string(), format!("{:?}", error.code)),
        });
        let wanted = [("a", "UnknownOutcome"), ("b", "of b"), ("c", "of c")];
        assert_eq!(told.collect::<Vec<_>>(), wanted.map(|(id, what)| (id.to_owned(), what.to_owned())));
    }

    #[tokio::test]
    async fn a_lookup_that_answers_too_little_fails() {
        let session = Answers::new(Arc::new(Sloppy(Capabilities::default())));
        let values = vec![Value::text("a"), Value::text("b")];
        let request = LookupRequest { class: "User".into(), path: "userName".parse().unwrap(), values };
        let error = session.lookup(&Context::default(), request).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Protocol);
        assert!(error.message.contains("asked for 2 values and answered for 1"), "{error}");
    }
}
