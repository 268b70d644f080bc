//! What all cases stand on: an open session, what it says of itself, and the objects that the run made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_connector::{
    Applied, Capabilities, ConnectorError, Context, End, ErrorCode, Outcome, ScanItem, ScanRequest, Session,
};
use provost_model::{Action, Change, ClassName, ClassSchema, ObjectId, Operation, OperationId, Record, Schema, Value};

use crate::cases::{Case, Needs, Subject};
use crate::kit::Kit;
use crate::sample::ClassSample;

/// What one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Objects of a class to begin with.
const FEW: usize = 4;

pub(crate) struct Ground<'k> {
    pub kit: &'k Kit,
    pub session: Arc<dyn Session>,
    pub schema: Schema,
    cx: Context,
    number: AtomicU64,
    made: Mutex<Vec<(ClassName, ObjectId)>>,
}

/// A whole scan.
pub(crate) struct Read {
    pub records: Vec<Record>,
    pub tombstones: Vec<ObjectId>,
    pub end: End,
    /// As the pages came, faults with an id included.
    pub received: u64,
}

impl Read {
    /// Why it proves nothing; none when it proves what is absent.
    pub fn gap(&self) -> Option<String> {
        self.end.gap(self.received)
    }
}

impl<'k> Ground<'k> {
    pub async fn prepare(kit: &'k Kit, cx: &Context) -> Result<Self, ConnectorError> {
        let session = kit.connector.configure(kit.settings.clone(), kit.host.clone()).await?;
        let schema = session.schema(&cx.within(CALL_LIMIT)).await?;
        let number = AtomicU64::new(kit.first_number);
        Ok(Self { kit, session, schema, cx: cx.clone(), number, made: Mutex::default() })
    }

    pub fn cx(&self) -> Context {
        self.cx.within(CALL_LIMIT)
    }

    pub fn capabilities(&self) -> &Capabilities {
        self.session.capabilities()
    }

    /// What the case is played on: once for the connection, or once for each class.
    pub fn subjects(&self, case: &Case) -> Vec<Subject<'_>> {
        if case.needs == Needs::Connection {
            return vec![Subject { class: None, sample: None }];
        }
        let classes = self.capabilities().classes.iter().filter(|class| match case.needs {
            Needs::Connection | Needs::Read => class.scan,
            Needs::Changes => class.changes,
            Needs::Write => class.create || class.update || class.delete,
        });
        classes.map(|class| Subject { class: Some(class), sample: self.kit.sample.classes.get(&class.name) }).collect()
    }

    pub fn class(&self, name: &str) -> Option<&ClassSchema> {
        self.schema.class(name)
    }

    pub fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Reads to the end.
    pub async fn scan(&self, session: &dyn Session, request: ScanRequest) -> Result<Read, ConnectorError> {
        self.scan_within(session, request, CALL_LIMIT).await
    }

    /// Reads to the end, with so much patience at most.
    pub async fn scan_within(
        &self,
        session: &dyn Session,
        request: ScanRequest,
        patience: Duration,
    ) -> Result<Read, ConnectorError> {
        let cx = self.cx.within(patience);
        let mut scan = session.scan(&cx, request).await?;
        let (mut records, mut tombstones, mut received) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = scan.next(&cx).await?;
            received += page.received();
            for item in page.items {
                match item {
                    ScanItem::Upsert(record) => records.push(record),
                    ScanItem::Tombstone(id) => tombstones.push(id),
                    ScanItem::Unchanged(_) => {}
                }
            }
            if let Some(end) = page.end {
                return Ok(Read { records, tombstones, end, received });
            }
        }
    }

    pub async fn all(&self, class: &str) -> Result<Read, ConnectorError> {
        self.scan(&*self.session, ScanRequest::full(class)).await
    }

    pub async fn get(&self, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.session.get(&self.cx(), class, id).await
    }

    /// An operation with an id of its own.
    pub fn operation(&self, action: Action, class: &str, id: Option<&ObjectId>, changes: Vec<Change>) -> Operation {
        let number = OperationId::from(format!("kit-{}", self.next_number()));
        Operation { id: number, action, class: class.into(), target_id: id.cloned(), changes, if_match: None }
    }

    /// Does one operation and gives the id; what a create made is noted.
    pub async fn apply(&self, operation: &Operation) -> Result<ObjectId, ConnectorError> {
        self.apply_over(&*self.session, operation).await
    }

    pub async fn apply_over(&self, session: &dyn Session, operation: &Operation) -> Result<ObjectId, ConnectorError> {
        let applied = session.apply(&self.cx(), std::slice::from_ref(operation)).await;
        let [Applied { operation: id, outcome }] = applied.as_slice() else {
            let message = format!("{} outcomes for one operation", applied.len());
            return Err(ConnectorError::new(ErrorCode::Protocol, message));
        };
        if *id != operation.id {
            let message = format!("the outcome is of operation `{id}`, not of `{}`", operation.id);
            return Err(ConnectorError::new(ErrorCode::Protocol, message));
        }
        match outcome {
            Outcome::Done(done) => {
                if operation.action == Action::Create {
                    self.note(&operation.class, &done.target_id);
                }
                Ok(done.target_id.clone())
            }
            Outcome::Failed(error) => Err(error.clone()),
        }
    }

    /// To be removed at the end.
    pub fn note(&self, class: &ClassName, id: &ObjectId) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains(&(class.clone(), id.clone())) {
            made.push((class.clone(), id.clone()));
        }
    }

    /// The create of a new object of the sample, without sending it.
    pub async fn draft(&self, class: &str, sample: &ClassSample) -> Result<Operation, ConnectorError> {
        let number = self.next_number();
        let mut changes = Vec::new();
        for (path, value) in sample.object(number) {
            changes.push(Change::set(Arc::new(parse(&path)?), value));
        }
        for (path, of) in &sample.references {
            let id = Box::pin(self.make(of)).await?;
            changes.push(Change::set(Arc::new(parse(path)?), Value::Text(id.0)));
        }
        Ok(self.operation(Action::Create, class, None, changes))
    }

    /// Makes an object of a class of the sample.
    pub async fn make(&self, class: &str) -> Result<ObjectId, ConnectorError> {
        let sample = self.kit.sample.classes.iter().find(|(name, _)| name.eq_ignore_ascii_case(class));
        let (_, sample) = sample.ok_or_else(|| {
            let message = format!("the sample says nothing of the class `{class}`");
            ConnectorError::new(ErrorCode::InvalidConfig, message)
        })?;
        let draft = self.draft(class, sample).await?;
        self.apply(&draft).await
    }

    /// Makes a few objects of each class that the sample knows, so that there is something to read.
    pub async fn populate(&self) -> Result<(), ConnectorError> {
        for class in self.kit.sample.classes.keys() {
            if !self.capabilities().class(class).is_some_and(|can| can.create) {
                continue;
            }
            for _ in 0..FEW {
                self.make(class).await?;
            }
        }
        Ok(())
    }

    /// Removes what was made, what points at others first; what cannot be removed is named.
    pub async fn clear(&self) -> Vec<String> {
        let mut rest = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut left = Vec::new();
        // A group that is needed by nobody goes in the second round at the latest.
        for round in 0..2 {
            let mut again = Vec::new();
            for (class, id) in rest.into_iter().rev() {
                let can = self.capabilities().class(&class).is_some_and(|can| can.delete);
                let gone = match can {
                    true => self.apply(&self.operation(Action::Delete, &class, Some(&id), Vec::new())).await,
                    false => continue,
                };
                match gone {
                    Ok(_) => {}
                    Err(error) if error.code == ErrorCode::NotFound => {}
                    Err(_) if round == 0 => again.push((class, id)),
                    Err(error) => left.push(format!("{class} `{id}`: {error}")),
                }
            }
            again.reverse();
            rest = again;
        }
        left
    }
}

/// A path of the sample.
pub(crate) fn parse(path: &str) -> Result<provost_model::AttributePath, ConnectorError> {
    path.parse().map_err(|error| {
        ConnectorError::new(ErrorCode::InvalidConfig, format!("`{path}` in the sample is no attribute path: {error}"))
    })
}
