//! The source: people and groups, read in full or by what changed, with all the ways in which a read can end too early.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Cursor, End, ErrorCode,
    FindRequest, Page, Scan, ScanFault, ScanItem, ScanMode, ScanPage, ScanRequest, Session,
};
use provost_model::{
    AttributeSchema, AttributeType, ClassName, ClassSchema, ObjectId, Operation, Record, Schema, Value,
};

use super::chance::Chance;
use super::world::{Shared, World, error};

pub struct Source {
    shared: Shared,
    capabilities: Capabilities,
}

impl Source {
    pub fn open(shared: Shared, feed: bool) -> Arc<dyn Session> {
        let class = |name: &str| ClassCapabilities {
            name: name.into(),
            scan: true,
            changes: feed,
            ..ClassCapabilities::default()
        };
        let capabilities = Capabilities {
            classes: vec![class("person"), class("group")],
            max_in_flight: 4,
            ..Capabilities::default()
        };
        Arc::new(Self { shared, capabilities })
    }
}

pub fn schema() -> Schema {
    let text = |name| AttributeSchema::new(name, AttributeType::String);
    let reference = |name| AttributeSchema {
        reference_classes: vec!["person".into()],
        ..AttributeSchema::new(name, AttributeType::Reference)
    };
    let members = AttributeSchema { multi_valued: true, ..reference("members") };
    let person = vec![text("login"), text("dept"), text("status"), reference("boss")];
    let class = |name: &str, attributes| ClassSchema { name: name.into(), attributes, ..ClassSchema::default() };
    Schema { classes: vec![class("person", person), class("group", vec![text("name"), members])] }
}

impl World {
    fn source_ids(&self, class: &str) -> Vec<String> {
        if class == "person" { self.people.keys().cloned().collect() } else { self.groups.keys().cloned().collect() }
    }

    fn record(&self, class: &str, id: &str) -> Option<Record> {
        if class == "person" {
            let person = self.people.get(id)?;
            let status = if person.active { "active" } else { "prospect" };
            let record = Record::new("person", id)
                .with("login", person.login.as_str())
                .with("dept", person.dept.as_str())
                .with("status", status);
            return Some(match &person.boss {
                Some(boss) => record.with("boss", Value::reference("person", boss.as_str())),
                None => record,
            });
        }
        let group = self.groups.get(id)?;
        let members = group.members.iter().map(|id| Value::reference("person", id.as_str())).collect();
        Some(Record::new("group", id).with("name", group.name.as_str()).with("members", Value::List(members)))
    }
}

#[async_trait]
impl Session for Source {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, _: &Context) -> Result<Schema, ConnectorError> {
        Ok(schema())
    }

    async fn test(&self, _: &Context) -> Vec<CheckResult> {
        Vec::new()
    }

    async fn get(&self, _: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        Ok(self.shared.lock().record(class, id))
    }

    async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
        Err(error(ErrorCode::NotSupported))
    }

    async fn scan(&self, _: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let mut world = self.shared.lock();
        let end = world.feed.len();
        let (items, cursor) = match &request.mode {
            ScanMode::Full => {
                let records = world.source_ids(&request.class);
                let records = records.iter().filter_map(|id| world.record(&request.class, id));
                (records.map(ScanItem::Upsert).collect(), None)
            }
            ScanMode::Changes { cursor: None } => (Vec::new(), Some(end)),
            ScanMode::Changes { cursor: Some(cursor) } => {
                let from: usize = cursor.0.parse().map_err(|_| error(ErrorCode::CursorExpired))?;
                if world.fault_percent > 0 && world.roll("cursor").percent(5) {
                    return Err(error(ErrorCode::CursorExpired));
                }
                let mut ids: Vec<&String> = Vec::new();
                for (class, id) in &world.feed[from..] {
                    if *class == request.class.as_str() && !ids.contains(&id) {
                        ids.push(id);
                    }
                }
                let item = |id: &String| match world.record(&request.class, id) {
                    Some(record) => ScanItem::Upsert(record),
                    None => ScanItem::Tombstone(ObjectId::from(id.as_str())),
                };
                (ids.into_iter().map(item).collect(), Some(end))
            }
        };
        let bad = world.fault_percent > 0 && world.roll(&format!("read {}", request.class)).percent(25);
        // Where nothing but the cursor is asked for there is nothing to cut.
        let roll = (bad && request.mode != ScanMode::Changes { cursor: None })
            .then(|| world.roll(&format!("how {}", request.class)));
        world.bad_read |= roll.is_some();
        let cut = roll.map(|roll| Cut::new(roll, items.len()));
        Ok(Box::new(Reading { class: request.class, items, given: 0, cursor, cut }))
    }

    async fn apply(&self, _: &Context, operations: &[Operation]) -> Vec<Applied> {
        let refused = |operation: &Operation| Applied::failed(operation.id.clone(), error(ErrorCode::NotSupported));
        operations.iter().map(refused).collect()
    }
}

/// How a read does not come to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// An error after so many objects.
    Error(usize),
    /// It says itself that it is not complete, after so many.
    Incomplete(usize),
    /// So many are not sent, but counted.
    Short(usize),
    /// One comes twice and is counted once.
    Twice,
    /// A row that cannot be read, of whom nobody knows whose it is.
    Nameless(usize),
    /// The scan just stops: an end without a word.
    Empty,
}

impl Cut {
    fn new(mut roll: Chance, items: usize) -> Self {
        let at = roll.below(items + 1);
        let all =
            [Cut::Error(at), Cut::Incomplete(at), Cut::Short(at.max(1)), Cut::Twice, Cut::Nameless(at), Cut::Empty];
        *roll.pick(&all).unwrap()
    }
}

struct Reading {
    class: ClassName,
    items: Vec<ScanItem>,
    given: usize,
    cursor: Option<usize>,
    cut: Option<Cut>,
}

const PAGE: usize = 4;

#[async_trait]
impl Scan for Reading {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        tokio::task::yield_now().await;
        let all = self.items.len();
        let stop = match self.cut {
            Some(Cut::Error(at) | Cut::Incomplete(at) | Cut::Nameless(at)) => at.min(all),
            Some(Cut::Short(less)) => all.saturating_sub(less),
            Some(Cut::Empty) => 0,
            _ => all,
        };
        let until = (self.given + PAGE).min(stop);
        let mut page = ScanPage { items: self.items[self.given..until].to_vec(), ..ScanPage::default() };
        self.given = until;
        if until < stop {
            return Ok(page);
        }
        let count = all as u64;
        let end = End { cursor: self.cursor.map(|at| Cursor(at.to_string().into())), ..End::complete(count) };
        page.end = Some(match self.cut {
            None => end,
            Some(Cut::Error(_)) => return Err(error(ErrorCode::Unreadable)),
            Some(Cut::Incomplete(_) | Cut::Empty) => End { cursor: None, ..End::incomplete(stop as u64, "simulated") },
            // What counts nothing has nothing to be short of.
            Some(Cut::Short(_)) => End { count: count.max(1) + u64::from(all == 0), ..end },
            Some(Cut::Twice) => {
                page.items.extend(self.items.first().cloned());
                End { count: count + u64::from(all == 0), ..end }
            }
            Some(Cut::Nameless(_)) => {
                let place = format!("{} row {stop}", self.class);
                page.faults.push(ScanFault { place: place.into(), id: None, error: error(ErrorCode::InvalidValue) });
                End { count: stop as u64, ..end }
            }
        });
        Ok(page)
    }
}
