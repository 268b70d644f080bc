//! Taking a request: checked, then stored with its operations and objects in one transaction. Once that is committed, a job
//! finds the operations in its feed, whatever happens to this process.
//!
//! Requests are taken one after the other: the lock that numbers operations also keeps two requests from laying their
//! changes over the same object at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use provost_model::{Attributes, ClassName, ConnectionName, JobName, ObjectId, Text};
use provost_scim::ScimError;
use provost_scim::bulk::{BulkOperation, BulkRequest};
use provost_store::{PushOperationRow, PushRecordRow, PushRequestRow, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::change::{Change, names, word};
use crate::{Inbox, PushError, object};

/// Operations of one request.
pub const MAX_OPERATIONS: usize = 2000;

/// Who pushes, and into what.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    pub job: &'a JobName,
    /// The job's source.
    pub connection: &'a ConnectionName,
    /// The token's name.
    pub client: &'a str,
    /// Whether the token may see a resource type.
    pub may_see: &'a (dyn Fn(&str) -> bool + Send + Sync),
}

/// What became of one operation on arrival, as the request's row keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Entry {
    /// It has this number.
    Taken(i64),
    /// It came before, and has this number.
    Repeated(i64),
    Refused(Refusal),
}

/// An operation that was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub method: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<Text>,
    pub status: u16,
    /// The error as SCIM says it.
    pub response: serde_json::Value,
}

impl Refusal {
    fn new(operation: &BulkOperation, error: &ScimError) -> Self {
        Self {
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.clone(),
            status: error.status,
            response: serde_json::from_slice(&error.to_json()).unwrap_or_default(),
        }
    }
}

impl Inbox {
    /// Takes the operations of a request that can be taken; its id. When it returns, they are in the store.
    pub async fn accept(&self, sender: Sender<'_>, body: &[u8]) -> Result<Text, PushError> {
        let bulk = BulkRequest::from_json(body, MAX_OPERATIONS, &self.registry).map_err(PushError::Request)?;
        if bulk.fail_on_errors.is_some() {
            let detail = "failOnErrors does not work here: different people's operations are done side by side";
            return Err(PushError::Request(ScimError::invalid_value(detail)));
        }
        if bulk.operations.is_empty() {
            return Err(PushError::Request(ScimError::invalid_value("Operations is empty")));
        }
        let names = names(&bulk.operations);
        let read = |operation| Change::read(operation, &self.registry, &names, sender.may_see);
        let changes: Vec<Result<Change<'_>, ScimError>> = bulk.operations.iter().map(read).collect();
        check_some(&changes)?;

        let mut tx = self.store.begin().await?;
        let seq = tx.lock_push().await?;
        let mut taking = Taking::load(&mut tx, sender, seq, self.clock.now_ms(), &changes).await?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(change.and_then(|change| taking.take(change)));
        }
        check_some(&outcomes)?;
        let entry = |(operation, outcome): (&BulkOperation, Result<Entry, ScimError>)| {
            outcome.unwrap_or_else(|error| Entry::Refused(Refusal::new(operation, &error)))
        };
        let entries: Vec<Entry> = bulk.operations.iter().zip(outcomes).map(entry).collect();
        let request = PushRequestRow {
            id: Uuid::now_v7().to_string().into(),
            job: sender.job.clone(),
            created: taking.now,
            client: sender.client.to_owned(),
            operations: serde_json::to_string(&entries).expect("entries are JSON, written to memory"),
        };
        taking.save(&mut tx, &request).await?;
        tx.commit().await?;
        self.store.ring();
        Ok(request.id)
    }
}

/// An error when nothing can be taken: then the sender hears of it at once, and nothing is stored.
fn check_some<T>(outcomes: &[Result<T, ScimError>]) -> Result<(), PushError> {
    match outcomes.first() {
        Some(Err(first)) if outcomes.iter().all(Result::is_err) => {
            Err(PushError::Nothing { count: outcomes.len(), first: first.clone() })
        }
        _ => Ok(()),
    }
}

/// A request on its way into the store.
struct Taking<'a> {
    sender: Sender<'a>,
    now: i64,
    seq: i64,
    /// What came before under a bulkId.
    named: HashMap<Text, (i64, String)>,
    /// Objects as they are after the operations so far; none for those that are not there.
    objects: HashMap<(ClassName, ObjectId), Option<Attributes>>,
    touched: BTreeMap<(ClassName, ObjectId), i64>,
    operations: Vec<PushOperationRow>,
}

impl<'a> Taking<'a> {
    async fn load(
        tx: &mut Transaction,
        sender: Sender<'a>,
        seq: i64,
        now: i64,
        changes: &[Result<Change<'_>, ScimError>],
    ) -> Result<Self, PushError> {
        let good = || changes.iter().filter_map(|change| change.as_ref().ok());
        let bulk_ids: Vec<&str> = good().map(|change| change.bulk_id.as_str()).collect();
        let before = tx.push_named(sender.job, &bulk_ids).await?;
        let named = before.into_iter().map(|row| (row.bulk_id, (row.seq, row.digest))).collect();
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for change in good() {
            wanted.entry(change.types.name()).or_default().insert(&change.id);
        }
        let mut objects = HashMap::new();
        for (class, ids) in wanted {
            let ids: Vec<&str> = ids.into_iter().collect();
            for row in tx.push_records(sender.connection, class, &ids).await? {
                objects.insert((row.class, row.source_id), Some(object::parse(&row.body)?));
            }
        }
        Ok(Self { sender, now, seq, named, objects, touched: BTreeMap::new(), operations: Vec::new() })
    }

    fn take(&mut self, change: Change<'_>) -> Result<Entry, ScimError> {
        if let Some((seq, digest)) = self.named.get(&change.bulk_id) {
            if *digest == change.digest {
                return Ok(Entry::Repeated(*seq));
            }
            let detail = format!("the bulkId {} was used for another operation of this job", change.bulk_id);
            return Err(ScimError::status(409, detail));
        }
        let key = (ClassName::from(change.types.name()), change.id.clone());
        let (bulk_id, digest, method) = (change.bulk_id.clone(), change.digest.clone(), change.method);
        let after = change.apply(self.objects.get(&key).cloned().flatten())?;
        self.seq += 1;
        self.operations.push(PushOperationRow {
            seq: self.seq,
            job: self.sender.job.clone(),
            bulk_id: bulk_id.clone(),
            digest: digest.clone(),
            connection: self.sender.connection.clone(),
            class: key.0.clone(),
            source_id: key.1.clone(),
            method: word(method).into(),
            created: self.now,
            body: after.as_ref().map(object::text),
        });
        self.named.insert(bulk_id, (self.seq, digest));
        self.touched.insert(key.clone(), self.seq);
        self.objects.insert(key, after);
        Ok(Entry::Taken(self.seq))
    }

    async fn save(self, tx: &mut Transaction, request: &PushRequestRow) -> Result<(), PushError> {
        tx.add_push(request, &self.operations).await?;
        let connection = self.sender.connection;
        let mut gone: BTreeMap<ClassName, Vec<ObjectId>> = BTreeMap::new();
        let mut records = Vec::new();
        for (key, seq) in self.touched {
            let object = self.objects.get(&key).and_then(Option::as_ref);
            let (class, source_id) = key;
            match object {
                Some(object) => {
                    let body = object::text(object);
                    records.push(PushRecordRow { connection: connection.clone(), class, source_id, seq, body });
                }
                None => gone.entry(class).or_default().push(source_id),
            }
        }
        tx.save_push_records(&records).await?;
        for (class, ids) in gone {
            tx.delete_push_records(connection, &class, &ids).await?;
        }
        Ok(())
    }
}
