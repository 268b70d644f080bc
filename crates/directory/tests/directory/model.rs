//! Random batches of writes agree with a directory that is a few maps, one write at a time.

use std::collections::{BTreeMap, BTreeSet};

use provost_connector::{Cursor, ScanItem, ScanMode, ScanRequest};
use provost_directory::{DirectoryError, Member, MemberEdit, Walk, What, Write, Written};
use provost_model::{Attributes, ObjectId, Value};

use crate::{Place, cx};

crate::on_both!(random_writes);

/// xorshift, so that a seed tells everything.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    kind: &'static str,
    name: String,
    title: Option<String>,
    manager: Option<ObjectId>,
    members: BTreeSet<ObjectId>,
}

#[derive(Debug, Clone)]
enum Task {
    Create { kind: &'static str, name: String, members: Vec<ObjectId> },
    Rename { id: ObjectId, kind: &'static str, name: String },
    Title { id: ObjectId, kind: &'static str, title: Option<String> },
    Manager { id: ObjectId, manager: Option<ObjectId> },
    Members { id: ObjectId, add: Vec<ObjectId>, remove: Vec<ObjectId> },
    Replace { id: ObjectId, members: Vec<ObjectId> },
    Delete { id: ObjectId, kind: &'static str },
}

const TITLE: &str = "externalId";

impl Task {
    fn random(random: &mut Random, ids: &[(ObjectId, &'static str)]) -> Self {
        let name = format!("n{}", random.below(12));
        let kind = if random.below(3) == 0 { "Group" } else { "User" };
        if ids.is_empty() || random.below(4) == 0 {
            let members = if kind == "Group" { pick(random, ids, 2) } else { Vec::new() };
            return Task::Create { kind, name, members };
        }
        let (id, kind) = ids[random.below(ids.len())].clone();
        match (random.below(8), kind) {
            (0, _) => Task::Delete { id, kind },
            (1 | 2, _) => Task::Rename { id, kind, name },
            (3, _) => Task::Title { id, kind, title: (random.below(2) == 0).then_some(name) },
            (_, "User") => Task::Manager { id, manager: pick(random, ids, 1).pop() },
            (4, _) => Task::Replace { id, members: pick(random, ids, 3) },
            _ => Task::Members { id, add: pick(random, ids, 3), remove: pick(random, ids, 3) },
        }
    }

    fn write(&self) -> Write {
        let members = |ids: &[ObjectId]| ids.iter().cloned().map(Member::new).collect::<Vec<_>>();
        match self.clone() {
            Task::Create { kind, name, members: ids } => {
                let naming = if kind == "User" { "userName" } else { "displayName" };
                let attributes = [(naming, name)].into_iter().collect();
                Write { kind: kind.into(), what: What::Create { attributes, members: members(&ids) } }
            }
            Task::Rename { id, kind, name } => Write::edit(kind, id, move |attributes| {
                attributes.set(if kind == "User" { "userName" } else { "displayName" }, name);
                Ok(())
            }),
            Task::Title { id, kind, title } => Write::edit(kind, id, move |attributes| {
                attributes.set(TITLE, title.map_or(Value::Null, Value::from));
                Ok(())
            }),
            Task::Manager { id, manager } => Write::edit("User", id, move |attributes| {
                let manager = manager.map(|id| {
                    let value: Attributes = [("value", id.0)].into_iter().collect();
                    let parts: Attributes = [("manager", value)].into_iter().collect();
                    Value::Complex(parts)
                });
                attributes.set(crate::ENTERPRISE, manager.unwrap_or_default());
                Ok(())
            }),
            Task::Members { id, add, remove } => {
                Write::members("Group", id, MemberEdit::Change { add: members(&add), remove })
            }
            Task::Replace { id, members: ids } => Write::members("Group", id, MemberEdit::Replace(members(&ids))),
            Task::Delete { id, kind } => Write::delete(kind, id),
        }
    }
}

fn pick(random: &mut Random, ids: &[(ObjectId, &'static str)], most: usize) -> Vec<ObjectId> {
    (0..random.below(most + 1)).filter(|_| !ids.is_empty()).map(|_| ids[random.below(ids.len())].0.clone()).collect()
}

/// What should be in the directory.
#[derive(Default)]
struct Model {
    objects: BTreeMap<ObjectId, Object>,
    /// Whose content a write of the batch changed; back and forth counts too.
    touched: BTreeSet<ObjectId>,
    versions: BTreeMap<ObjectId, i64>,
}

impl Model {
    /// Does the task, if it can be done; then compares with what the directory said.
    fn check(&mut self, task: &Task, outcome: &Result<Written, DirectoryError>) {
        let before = self.objects.clone();
        match (self.run(task, outcome), outcome) {
            (Ok(changed), Ok(written)) => assert_eq!(changed, written.changed, "{task:?}"),
            (Err(want), Err(error)) => assert_eq!(want, name(error), "{task:?}"),
            (want, outcome) => panic!("{task:?}: {want:?}, {outcome:?}"),
        }
        for (id, object) in &self.objects {
            if before.get(id) != Some(object) {
                self.touched.insert(id.clone());
            }
        }
    }

    fn taken(&self, kind: &str, name: &str, but: Option<&ObjectId>) -> bool {
        kind == "User"
            && self.objects.iter().any(|(id, have)| have.kind == kind && have.name == name && Some(id) != but)
    }

    fn run(&mut self, task: &Task, outcome: &Result<Written, DirectoryError>) -> Result<bool, &'static str> {
        let id = match task {
            Task::Create { kind, name, members } => {
                self.known(members)?;
                if self.taken(kind, name, None) {
                    return Err("exists");
                }
                let id =
                    outcome.as_ref().map(|written| written.resource.id.clone()).map_err(|_| "should be created")?;
                let members = members.iter().cloned().collect();
                let object = Object { kind, name: name.clone(), title: None, manager: None, members };
                assert!(self.objects.insert(id, object).is_none());
                return Ok(true);
            }
            Task::Rename { id, .. }
            | Task::Title { id, .. }
            | Task::Manager { id, .. }
            | Task::Members { id, .. }
            | Task::Replace { id, .. }
            | Task::Delete { id, .. } => id,
        };
        let Some(mut object) = self.objects.get(id).cloned() else { return Err("missing") };
        match task {
            Task::Create { .. } => {}
            Task::Rename { kind, name, .. } if self.taken(kind, name, Some(id)) => return Err("exists"),
            Task::Rename { name, .. } => object.name = name.clone(),
            Task::Title { title, .. } => object.title = title.clone(),
            Task::Manager { manager, .. } => object.manager = manager.clone(),
            Task::Members { add, remove, .. } => {
                let add: Vec<ObjectId> = add.iter().filter(|id| !remove.contains(id)).cloned().collect();
                self.known(&add)?;
                object.members.extend(add);
                object.members.retain(|id| !remove.contains(id));
            }
            Task::Replace { members, .. } => {
                // Members that are there already need not be asked about.
                self.known(members)?;
                object.members = members.iter().cloned().collect();
            }
            Task::Delete { .. } => {
                self.objects.remove(id);
                for other in self.objects.values_mut() {
                    other.members.remove(id);
                    if other.manager.as_ref() == Some(id) {
                        other.manager = None;
                    }
                }
                return Ok(true);
            }
        }
        let changed = self.objects[id] != object;
        self.objects.insert(id.clone(), object);
        Ok(changed)
    }

    fn known(&self, ids: &[ObjectId]) -> Result<(), &'static str> {
        if ids.iter().all(|id| self.objects.contains_key(id)) { Ok(()) } else { Err("member") }
    }

    /// Compares everything after a batch.
    async fn compare(&mut self, place: &Place) {
        let mut found = BTreeMap::new();
        for kind in ["User", "Group"] {
            for resource in place.directory.walk(kind, None, Walk::by_id(None, 10_000, true)).await.unwrap().resources {
                let text = |name: &str| Some(resource.attributes.find(name)?.as_text()?.to_owned());
                let manager: provost_model::AttributePath =
                    format!("{}:manager.value", crate::ENTERPRISE).parse().unwrap();
                let object = Object {
                    kind,
                    name: text(if kind == "User" { "userName" } else { "displayName" }).unwrap(),
                    title: text(TITLE),
                    manager: manager.get(&resource.attributes).and_then(Value::as_text).map(ObjectId::from),
                    members: resource.members.iter().flatten().map(|member| member.id.clone()).collect(),
                };
                let before = self.versions.insert(resource.id.clone(), resource.version).unwrap_or(0);
                assert_eq!(resource.version > before, self.touched.contains(&resource.id), "{object:?}");
                found.insert(resource.id, object);
            }
        }
        assert_eq!(found, self.objects);
        self.touched.clear();
    }
}

fn name(error: &DirectoryError) -> &'static str {
    match error {
        DirectoryError::NotFound { .. } => "missing",
        DirectoryError::AlreadyExists { .. } => "exists",
        DirectoryError::UnknownMember { .. } => "member",
        other => panic!("{other}"),
    }
}

async fn random_writes(place: Place) {
    let seed = std::env::var("PROVOST_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| provost_model::Timestamp::now().as_nanosecond() as u64 | 1);
    println!("seed {seed}: repeat with PROVOST_TEST_SEED={seed}");
    let mut random = Random(seed);
    let mut model = Model::default();
    let mut ids: Vec<(ObjectId, &'static str)> = Vec::new();
    let mut cursor = Cursor("0".into());
    let mut followed: BTreeSet<ObjectId> = BTreeSet::new();
    for _ in 0..60 {
        let tasks: Vec<Task> = (0..1 + random.below(8)).map(|_| Task::random(&mut random, &ids)).collect();
        let outcomes = place.write(tasks.iter().map(Task::write).collect()).await;
        for (task, outcome) in tasks.iter().zip(&outcomes) {
            model.check(task, outcome);
            if let (Task::Create { kind, .. }, Ok(written)) = (task, outcome) {
                ids.push((written.resource.id.clone(), kind));
            }
        }
        model.compare(&place).await;
        cursor = follow(&place, cursor, &mut followed).await;
        let users: BTreeSet<ObjectId> =
            model.objects.iter().filter(|(_, object)| object.kind == "User").map(|(id, _)| id.clone()).collect();
        assert_eq!(followed, users);
    }
}

/// Keeps the set of living users by the change feed alone.
async fn follow(place: &Place, cursor: Cursor, users: &mut BTreeSet<ObjectId>) -> Cursor {
    let mode = ScanMode::Changes { cursor: Some(cursor) };
    let request = ScanRequest { mode, page_size: 3, ..ScanRequest::full("User") };
    let mut scan = place.session.scan(&cx(), request).await.unwrap();
    loop {
        let page = scan.next(&cx()).await.unwrap();
        for item in page.items {
            match item {
                ScanItem::Upsert(record) => drop(users.insert(record.id)),
                ScanItem::Tombstone(id) => drop(users.remove(&id)),
                ScanItem::Unchanged(id) => panic!("{id}"),
            }
        }
        if let Some(end) = page.end {
            return end.cursor.unwrap();
        }
    }
}
