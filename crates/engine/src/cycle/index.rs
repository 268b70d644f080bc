//! What a target has of one class, by the values of the matching attributes, read as a whole: rules out what is not there
//! without a question, and finds what is there at targets that cannot be asked.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::{ConnectorError, Context, ErrorCode, ScanItem, ScanRequest, Session};
use provost_model::{ClassName, Digest, ObjectId, Record, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Cycle;
use super::find::names;
use crate::rule::Rule;

/// How often one class is read in a cycle for who looks at a target that cannot be asked.
const READS: usize = 4;
/// Objects of one value that are fetched: two are ambiguous already.
const FETCHED: usize = 5;

/// One read of one class.
#[derive(Debug)]
pub(crate) struct Index {
    /// For each matching attribute who has a value.
    by: Vec<HashMap<Digest, Ids>>,
    /// When the read began: what was made after that need not be in it.
    begun: Instant,
    /// Why something may be missing from it.
    gap: Option<String>,
}

/// Nearly always one.
#[derive(Debug)]
enum Ids {
    One(ObjectId),
    Some(Vec<ObjectId>),
}

impl Ids {
    fn as_slice(&self) -> &[ObjectId] {
        match self {
            Ids::One(id) => std::slice::from_ref(id),
            Ids::Some(ids) => ids,
        }
    }

    fn add(&mut self, id: &ObjectId) {
        if self.as_slice().contains(id) {
            return;
        }
        match self {
            Ids::One(first) => *self = Ids::Some(vec![first.clone(), id.clone()]),
            Ids::Some(ids) => ids.push(id.clone()),
        }
    }
}

impl Index {
    /// Reads the class of a rule's targets.
    pub async fn read(target: &dyn Session, cx: &Context, rule: &Rule) -> Result<Self, ConnectorError> {
        let begun = Instant::now();
        let mut by: Vec<HashMap<Digest, Ids>> = rule.matching.iter().map(|_| HashMap::new()).collect();
        let attributes = Some(names(rule.matching.iter().map(|matching| &matching.path)));
        let request = ScanRequest { attributes, ..ScanRequest::full(rule.to.clone()) };
        let mut scan = target.scan(cx, request).await?;
        let (mut received, mut nameless) = (0, None);
        loop {
            let page = scan.next(cx).await?;
            received += page.received();
            // Also one that is known by its id: its values are not.
            nameless =
                nameless.or_else(|| page.faults.first().map(|fault| format!("{}: {}", fault.place, fault.error)));
            for item in &page.items {
                let ScanItem::Upsert(record) = item else { continue };
                for (known, matching) in by.iter_mut().zip(&rule.matching) {
                    for value in matching.path.values(&record.attributes) {
                        known
                            .entry(fold(value))
                            .and_modify(|ids| ids.add(&record.id))
                            .or_insert_with(|| Ids::One(record.id.clone()));
                    }
                }
            }
            if let Some(end) = page.end {
                return Ok(Self { by, begun, gap: end.gap(received).or(nameless) });
            }
        }
    }

    /// Why absence from the index proves nothing, if so.
    pub fn gap(&self) -> Option<&str> {
        self.gap.as_deref()
    }

    /// Whether an object with these matching values exists nowhere.
    pub fn is_absent(&self, values: &[Option<Value>]) -> bool {
        let unknown = |(known, value): (&HashMap<Digest, Ids>, &Option<Value>)| {
            value.as_ref().is_none_or(|value| !known.contains_key(&fold(value)))
        };
        self.gap.is_none() && self.by.iter().zip(values).all(unknown)
    }

    /// The objects that have this value of a matching attribute, fetched one by one.
    pub async fn look_up(
        &self,
        target: &dyn Session,
        cx: &Context,
        rule: &Rule,
        at: usize,
        value: &Value,
    ) -> Result<Vec<Record>, ConnectorError> {
        let path = &rule.matching[at].path;
        let Some(ids) = self.by[at].get(&fold(value)) else {
            return match &self.gap {
                None => Ok(Vec::new()),
                Some(gap) => Err(ConnectorError::new(
                    ErrorCode::NotSupported,
                    format!("the target cannot be asked by `{path}`, and reading all of it proved nothing: {gap}"),
                )),
            };
        };
        let exact = rule.mapping(&path.to_string()).is_some_and(|mapping| mapping.case_exact);
        let same = |have: &Value| if exact { have.to_text() == value.to_text() } else { fold(have) == fold(value) };
        let mut found = Vec::new();
        for id in ids.as_slice().iter().take(FETCHED) {
            // It may have changed since it was read.
            let record = target.get(cx, &rule.to, id).await?;
            found.extend(record.filter(|record| path.values(&record.attributes).into_iter().any(same)));
        }
        Ok(found)
    }
}

/// Matching values compare without letter case in the index, so that it never misses what the target would find.
fn fold(value: &Value) -> Digest {
    // A list of objects under a path without sub-attribute is compared by their `value`.
    let value = value.as_complex().and_then(|parts| parts.find("value")).unwrap_or(value);
    match value.to_text() {
        Some(text) => Digest::of_bytes(text.to_lowercase().as_bytes()),
        None => Digest::of_value(value),
    }
}

/// The indexes of a cycle, by source class: each is read once, and again when somebody has to look for what was made since.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<HashMap<ClassName, (Arc<Index>, usize)>>);

impl Indexes {
    /// One that was begun after `since`. Whoever comes while it is being read waits for it and shares it.
    pub async fn get(&self, cycle: &Cycle, rule: &Rule, since: Option<Instant>) -> Result<Arc<Index>, ConnectorError> {
        let mut indexes = self.0.lock().await;
        let mut reads = 0;
        if let Some((index, so_far)) = indexes.get(&rule.from) {
            if since.is_none_or(|since| index.begun >= since) {
                return Ok(index.clone());
            }
            if *so_far >= READS {
                let message =
                    format!("the target cannot be searched, and was read {READS} times in this cycle already");
                return Err(ConnectorError::new(ErrorCode::NotSupported, message));
            }
            reads = *so_far;
        }
        let index = Arc::new(Index::read(&*cycle.target, &cycle.cx, rule).await?);
        indexes.insert(rule.from.clone(), (index.clone(), reads + 1));
        Ok(index)
    }
}
