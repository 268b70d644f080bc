//! The target: accounts and groups that do as told, unless something goes wrong on the way.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Done, Enablement, End, ErrorCode,
    FindRequest, LookupRequest, Page, Scan, ScanItem, ScanPage, ScanRequest, Session,
};
use provost_model::{
    Action, AttributePath, AttributeSchema, AttributeType, Attributes, Change, ChangeOp, ClassSchema, ObjectId,
    Operation, Record, Schema, Value,
};

use super::world::{Fault, Object, Shared, World, Write, error};

pub struct Target {
    shared: Shared,
    capabilities: Capabilities,
}

/// How this target is.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    pub can_disable: bool,
    pub can_look_up: bool,
    pub batch: usize,
    pub in_flight: usize,
}

impl Target {
    pub fn open(shared: Shared, ways: Ways) -> Arc<dyn Session> {
        let class = |name: &str, enablement| ClassCapabilities {
            name: name.into(),
            scan: true,
            create: true,
            update: true,
            delete: true,
            enablement,
            lookup: if ways.can_look_up { vec!["*".into()] } else { Vec::new() },
            max_values_per_change: Some(3),
            references_in_create: true,
            ..ClassCapabilities::default()
        };
        let enablement =
            Enablement { path: AttributePath::name("active"), on: Value::Boolean(true), off: Value::Boolean(false) };
        let classes = vec![class("User", ways.can_disable.then_some(enablement)), class("Group", None)];
        let capabilities = Capabilities {
            classes,
            max_in_flight: ways.in_flight,
            max_batch: ways.batch,
            max_lookup: ways.batch,
            requests_per_second: None,
        };
        Arc::new(Self { shared, capabilities })
    }

    async fn asked(&self, what: &str) -> Result<(), ConnectorError> {
        tokio::task::yield_now().await;
        let fault = self.shared.lock().fault(what);
        match fault {
            None => Ok(()),
            Some(Fault::Throttled) => Err(error(ErrorCode::Throttled)),
            Some(Fault::DiesBefore | Fault::DiesAfter) => self.shared.die().await,
            Some(_) => Err(error(ErrorCode::Unavailable)),
        }
    }

    async fn write(&self, operation: &Operation) -> Result<Done, ConnectorError> {
        tokio::task::yield_now().await;
        // By whose it is, not by the operation's number, which is another one each time.
        let key = operation.changes.first().map_or_else(String::new, |change| format!("{change:?}"));
        let about = operation.target_id.as_deref().unwrap_or(&key).to_owned();
        let (fault, outcome) = {
            let mut world = self.shared.lock();
            world.attempts += 1;
            let fault = world.fault(&format!("{} {about}", operation.action));
            let heard = fault.is_none();
            let arrives = matches!(fault, None | Some(Fault::LostAnswer | Fault::DiesAfter));
            (fault, arrives.then(|| world.carry_out(operation, heard)))
        };
        match fault {
            None => {}
            Some(Fault::LostRequest) => return Err(error(ErrorCode::Unavailable)),
            Some(Fault::LostAnswer) => return Err(error(ErrorCode::UnknownOutcome)),
            Some(Fault::Throttled) => return Err(error(ErrorCode::Throttled)),
            Some(Fault::Internal) => return Err(error(ErrorCode::Internal)),
            Some(Fault::DiesBefore | Fault::DiesAfter) => self.shared.die().await,
        }
        let target_id = outcome.ok_or_else(|| error(ErrorCode::Internal))??;
        Ok(Done { target_id: ObjectId::from(target_id), requests: 1, ..Done::default() })
    }
}

pub fn schema() -> Schema {
    let text = |name| AttributeSchema::new(name, AttributeType::String);
    let reference = |name| AttributeSchema {
        reference_classes: vec!["User".into()],
        ..AttributeSchema::new(name, AttributeType::Reference)
    };
    let members = AttributeSchema { multi_valued: true, ..reference("members") };
    let active = AttributeSchema::new("active", AttributeType::Boolean);
    let user = vec![text("userName"), text("title"), active, reference("manager")];
    let class = |name: &str, attributes| ClassSchema { name: name.into(), attributes, ..ClassSchema::default() };
    Schema { classes: vec![class("User", user), class("Group", vec![text("displayName"), members])] }
}

impl World {
    /// Makes an object, as Provost or somebody else does.
    pub fn make(&mut self, class: &'static str, attributes: Attributes, touched: bool, unheard: bool) -> String {
        self.made += 1;
        let id = format!("t{}", self.made);
        let mut object = Object { class, attributes, touched, unheard: false, made_with: None };
        if unheard {
            object.forget();
        }
        self.objects.insert(id.clone(), object);
        id
    }

    /// Removes an object, and whoever points at it points at nothing.
    pub fn unmake(&mut self, id: &str) {
        self.objects.remove(id);
        for object in self.objects.values_mut() {
            if object.attributes.find("manager").and_then(Value::as_text) == Some(id) {
                object.attributes.remove("manager");
            }
            if let Some(Value::List(members)) = object.attributes.find_mut("members") {
                members.retain(|member| member.as_text() != Some(id));
            }
        }
    }

    fn carry_out(&mut self, operation: &Operation, heard: bool) -> Result<String, ConnectorError> {
        let class = if operation.class.as_str() == "User" { "User" } else { "Group" };
        let note = |world: &mut Self, target_id: &str| {
            if heard {
                let action = operation.action.as_str().to_owned();
                world.writes.push(Write { action, target_id: target_id.to_owned() });
            }
        };
        let Some(id) = operation.target_id.as_deref() else {
            let mut attributes = Attributes::new();
            operation.changes.iter().for_each(|change| change_one(&mut attributes, change));
            if class == "User" {
                if attributes.find("active").is_none() {
                    attributes.set("active", true);
                }
                let name = attributes.find("userName").and_then(Value::as_text).unwrap_or_default().to_owned();
                if self.unique && self.named(&name).is_some() {
                    return Err(error(ErrorCode::AlreadyExists));
                }
            }
            let id = self.make(class, attributes, true, !heard);
            note(self, &id);
            return Ok(id);
        };
        if operation.action.is_destructive() {
            self.taken.push(format!("{} {id}", operation.action));
        }
        if operation.action == Action::Delete {
            self.unmake(id);
            note(self, id);
            return Ok(id.to_owned());
        }
        let object = self.objects.get_mut(id).ok_or_else(|| error(ErrorCode::NotFound))?;
        object.touched |= heard;
        object.unheard &= !heard;
        for change in &operation.changes {
            change_one(&mut object.attributes, change);
        }
        note(self, id);
        Ok(id.to_owned())
    }

    /// The id of the account with this name.
    pub fn named(&self, name: &str) -> Option<&str> {
        let is_it = |object: &Object| object.attributes.find("userName").and_then(Value::as_text) == Some(name);
        self.objects.iter().find(|(_, object)| object.class == "User" && is_it(object)).map(|(id, _)| id.as_str())
    }

    fn read(&self, id: &str) -> Option<Record> {
        let object = self.objects.get(id)?;
        let mut record = Record::new(object.class, id);
        record.attributes = object.attributes.clone();
        Some(record)
    }
}

fn change_one(attributes: &mut Attributes, change: &Change) {
    let path = change.path.to_string();
    let id = |value: &Value| match value {
        Value::Reference(reference) => Value::Text(reference.id.0.clone()),
        other => other.clone(),
    };
    match change.op {
        ChangeOp::Set => attributes.set(path, id(&change.value)),
        ChangeOp::Unset => drop(attributes.remove(&path)),
        ChangeOp::Add | ChangeOp::Remove => {
            let mut list = attributes.find(&path).map(Value::elements).unwrap_or_default().to_vec();
            let named: Vec<Value> = change.value.elements().iter().map(id).collect();
            list.retain(|have| !named.contains(have));
            if change.op == ChangeOp::Add {
                list.extend(named);
            }
            attributes.set(path, Value::List(list));
        }
    }
}

#[async_trait]
impl Session for Target {
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
        self.asked(&format!("get {class} {id}")).await?;
        Ok(self.shared.lock().read(id))
    }

    async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
        Err(error(ErrorCode::NotSupported))
    }

    async fn lookup(&self, _: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.asked(&format!("lookup {:?}", request.values)).await?;
        let world = self.shared.lock();
        let text = |value: Option<&Value>| value.and_then(Value::to_text).map(|text| text.to_lowercase());
        let found = request.values.iter().map(|value| {
            let is_it = |id: &&String| {
                let object = &world.objects[*id];
                let have = text(request.path.get(&object.attributes));
                object.class == request.class.as_str() && have.is_some() && have == text(Some(value))
            };
            world.objects.keys().filter(is_it).filter_map(|id| world.read(id)).collect()
        });
        Ok(found.collect())
    }

    async fn scan(&self, _: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        self.asked(&format!("scan {}", request.class)).await?;
        let mut world = self.shared.lock();
        let ids: Vec<String> = world.objects.keys().cloned().collect();
        let of_class = ids.iter().filter(|id| world.objects[*id].class == request.class.as_str());
        let records: Vec<Record> = of_class.filter_map(|id| world.read(id)).collect();
        let cut = world.fault_percent > 0 && world.roll(&format!("target read {}", request.class)).percent(25);
        let stop = if cut { world.roll("target cut").below(records.len() + 1) } else { records.len() };
        let how = if cut { world.roll("target how").below(3) } else { 9 };
        Ok(Box::new(Reading { records, given: 0, stop, how }))
    }

    async fn apply(&self, _: &Context, operations: &[Operation]) -> Vec<Applied> {
        let mut applied = Vec::with_capacity(operations.len());
        for operation in operations {
            applied.push(match self.write(operation).await {
                Ok(done) => Applied::done(operation.id.clone(), done),
                Err(error) => Applied::failed(operation.id.clone(), error),
            });
        }
        applied
    }
}

struct Reading {
    records: Vec<Record>,
    given: usize,
    stop: usize,
    how: usize,
}

#[async_trait]
impl Scan for Reading {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        tokio::task::yield_now().await;
        let until = (self.given + 3).min(self.stop);
        let items = self.records[self.given..until].iter().cloned().map(ScanItem::Upsert).collect();
        self.given = until;
        let all = self.records.len() as u64;
        let end = match self.how {
            _ if until < self.stop => None,
            0 => return Err(error(ErrorCode::Unavailable)),
            1 => Some(End::incomplete(until as u64, "simulated")),
            // Short, and does not say so: only the count tells.
            2 => Some(End::complete(all.max(1 + until as u64))),
            _ => Some(End::complete(all)),
        };
        Ok(ScanPage { items, end, ..ScanPage::default() })
    }
}
