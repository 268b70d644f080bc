//! One history: what happens at the source and at the target, cycle by cycle, and what is checked after each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::layers::{RetryPolicy, stack};
use provost_connector::{ConnectorError, Context, Session};
use provost_engine::{Connections, CycleReport, Engine, EngineError, JobSpec, Patience, RunOptions};
use provost_model::clock::ManualClock;
use provost_model::{Attributes, ConnectionName};
use provost_store::{EventQuery, EventStatus, Store};
use serde_json::json;

use super::chance::Chance;
use super::model;
use super::source::Source;
use super::target::{Target, Ways};
use super::world::{Group, Person, Shared};

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leavers {
    Disable,
    Delete,
    Keep,
    Grace,
}

/// What the rules say at the moment.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub deleted: Leavers,
    pub out_of_scope: Leavers,
    pub can_disable: bool,
    prefix: bool,
}

impl Rules {
    pub fn title(&self, dept: &str) -> String {
        if self.prefix { format!("x-{dept}") } else { dept.to_owned() }
    }

    fn spec(&self) -> JobSpec {
        let word = |leavers| match leavers {
            Leavers::Disable => json!("disable"),
            Leavers::Delete => json!("delete"),
            Leavers::Keep => json!("keep"),
            Leavers::Grace => json!({"disable": "now", "delete": "30d"}),
        };
        let title = if self.prefix { "Join(\"-\", \"x\", [dept])" } else { "[dept]" };
        let spec = json!({
            "source": "from", "target": "to", "guards": {"leavers": {}, "shrink": {}},
            "objects": [
                {
                    "from": "person", "to": "User", "scope": "status eq \"active\"",
                    "match": [{"target": "userName", "source": "[login]"}],
                    "attributes": {"userName": "[login]", "title": title, "manager": "[boss]"},
                    "leavers": {"deleted": word(self.deleted), "out_of_scope": word(self.out_of_scope)},
                },
                {
                    "from": "group", "to": "Group",
                    "match": [{"target": "displayName", "source": "[name]"}],
                    "attributes": {"displayName": "[name]", "members": "[members]"},
                    "leavers": {"deleted": "delete"},
                },
            ],
        });
        serde_json::from_value(spec).unwrap()
    }
}

struct Two {
    from: Arc<dyn Session>,
    to: Arc<dyn Session>,
}

#[async_trait]
impl Connections for Two {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        Ok(if name.as_str() == "from" { self.from.clone() } else { self.to.clone() })
    }
}

pub struct History {
    chance: Chance,
    shared: Shared,
    engine: Engine,
    clock: ManualClock,
    rules: Rules,
    logins: usize,
    told: Arc<Mutex<Vec<String>>>,
}

/// How a cycle ended.
enum Ended {
    Itself(Box<Result<CycleReport, EngineError>>),
    Died,
}

impl History {
    pub async fn play(seed: u64, told: Arc<Mutex<Vec<String>>>) -> Result<(), String> {
        let mut history = Self::new(seed, told).await;
        let result = history.live().await;
        if result.is_err() {
            history.tell_log().await;
        }
        result
    }

    async fn live(&mut self) -> Result<(), String> {
        let history = self;
        let cycles = 3 + history.chance.below(8);
        for _ in 0..cycles {
            for _ in 0..history.chance.below(7) {
                history.happen();
            }
            let options = match history.chance.below(8) {
                0 => RunOptions { full: true, reconcile: false },
                1 => RunOptions { full: false, reconcile: true },
                _ => RunOptions::default(),
            };
            let hours = 1 + history.chance.below(48) as i64;
            history.clock.advance_ms(hours * 3_600_000);
            history.cycle(options).await?;
        }
        history.settle().await
    }

    async fn new(seed: u64, told: Arc<Mutex<Vec<String>>>) -> Self {
        let mut chance = Chance::new(seed);
        let shared = Shared::default();
        let ways = Ways {
            can_disable: chance.percent(75),
            can_look_up: chance.percent(75),
            batch: if chance.percent(50) { 1 } else { 4 },
            in_flight: 1 + chance.below(3),
        };
        let feed = chance.percent(50);
        {
            let mut world = shared.lock();
            world.seed = seed;
            world.unique = chance.percent(50);
            world.fault_percent = [0, 5, 15, 30][chance.below(4)];
            world.crash_percent = [0, 0, 1, 3][chance.below(4)];
        }
        let wait = Duration::from_micros(10);
        let policy = RetryPolicy {
            tries: 3,
            first_wait: wait,
            throttled_tries: 3,
            throttled_wait: wait,
            ..RetryPolicy::default()
        };
        let wrapped = |session| stack(session, policy, None);
        let two =
            Two { from: wrapped(Source::open(shared.clone(), feed)), to: wrapped(Target::open(shared.clone(), ways)) };
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let patience = Patience { looks: vec![Duration::from_millis(1)] };
        let engine = Engine::new(store, Arc::new(two), Arc::new(clock.clone())).with_patience(patience);
        let all = [Leavers::Disable, Leavers::Delete, Leavers::Keep, Leavers::Grace];
        let rules = Rules {
            deleted: all[chance.below(4)],
            out_of_scope: all[chance.below(4)],
            can_disable: ways.can_disable,
            prefix: false,
        };
        let mut history = Self { chance, shared, engine, clock, rules, logins: 0, told };
        history.tell(format!("{ways:?}, feed {feed}, {rules:?}"));
        let (faults, crashes) = {
            let world = history.shared.lock();
            (world.fault_percent, world.crash_percent)
        };
        history.tell(format!("faults {faults} %, deaths {crashes} %"));
        for _ in 0..2 + history.chance.below(12) {
            history.join();
        }
        for _ in 0..1 + history.chance.below(3) {
            history.found();
        }
        history
    }

    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    /// The log, for whoever looks into a failure.
    async fn tell_log(&self) {
        let query = EventQuery { newest_first: false, limit: 100_000, ..EventQuery::default() };
        for event in self.engine.store().events(&query).await.unwrap() {
            let (id, target) = (&event.source_id, event.target_id.as_deref().unwrap_or("-"));
            self.tell(format!(
                "log: {} {} {id} {target}: {} {} {}",
                event.action,
                event.status,
                event.code.as_deref().unwrap_or("-"),
                event.reason,
                event.changes
            ));
        }
        let world = self.shared.lock();
        for (id, object) in &world.objects {
            self.tell(format!("at the target: {id} {object:?}"));
        }
    }

    /// Somebody joins.
    fn join(&mut self) {
        self.logins += 1;
        let (id, login) = (format!("p{}", self.logins), format!("login{}", self.logins));
        let boss = self.anybody();
        let person = Person {
            login: login.clone(),
            dept: format!("d{}", self.chance.below(3)),
            active: self.chance.percent(85),
            boss: boss.filter(|_| self.chance.percent(40)),
        };
        self.tell(format!("joins: {id} {person:?}"));
        // An account that is there already, as somebody made it by hand.
        if self.chance.percent(15) {
            let attributes = Attributes::from_iter([("userName", login.as_str()), ("title", "by hand")]);
            let mut world = self.shared.lock();
            let account = world.make("User", attributes, false, false);
            world.objects.get_mut(&account).unwrap().attributes.set("active", true);
        }
        let mut world = self.shared.lock();
        world.whose.insert(person.login.clone(), id.clone());
        world.people.insert(id.clone(), person);
        world.changed("person", &id);
    }

    fn found(&mut self) {
        self.logins += 1;
        let (id, name) = (format!("g{}", self.logins), format!("group{}", self.logins));
        let members: BTreeSet<String> = (0..self.chance.below(8)).filter_map(|_| self.anybody()).collect();
        self.tell(format!("founded: {id} {members:?}"));
        let mut world = self.shared.lock();
        world.groups.insert(id.clone(), Group { name, members });
        world.changed("group", &id);
    }

    fn anybody(&mut self) -> Option<String> {
        let ids: Vec<String> = self.shared.lock().people.keys().cloned().collect();
        self.chance.pick(&ids).cloned()
    }

    fn happen(&mut self) {
        match self.chance.below(16) {
            0 | 1 => self.join(),
            2 => self.found(),
            3 | 4 => self.leave(),
            5 | 6 => self.edit("moves", |person, chance| person.dept = format!("d{}", chance.below(4))),
            7 => self.edit("in or out", |person, _| person.active = !person.active),
            8 => {
                let boss = self.anybody();
                self.edit("gets a boss", |person, _| person.boss = boss);
            }
            9 | 10 => self.regroup(),
            11 => {
                self.logins += 1;
                let login = format!("login{}", self.logins);
                self.edit("is called", |person, _| person.login = login);
            }
            12 => self.rules.prefix = !self.rules.prefix,
            13 => self
                .behind("title", |world, id, _| world.objects.get_mut(id).unwrap().attributes.set("title", "edited")),
            14 => self.behind("delete", |world, id, _| world.unmake(id)),
            _ => self.dissolve(),
        }
    }

    /// Changes somebody at the source.
    fn edit(&mut self, what: &str, change: impl FnOnce(&mut Person, &mut Chance)) {
        let Some(id) = self.anybody() else { return };
        let mut world = self.shared.lock();
        let person = world.people.get_mut(&id).unwrap();
        change(person, &mut self.chance);
        let told = format!("{what}: {id} {person:?}");
        let login = person.login.clone();
        world.whose.insert(login, id.clone());
        world.changed("person", &id);
        drop(world);
        self.tell(told);
    }

    /// Somebody is gone; nobody points at who is not there.
    fn leave(&mut self) {
        let Some(id) = self.anybody() else { return };
        let mut world = self.shared.lock();
        if world.people.len() < 2 {
            return;
        }
        world.people.remove(&id);
        world.changed("person", &id);
        let reports: Vec<String> =
            world.people.iter().filter(|(_, p)| p.boss.as_ref() == Some(&id)).map(|(id, _)| id.clone()).collect();
        for report in reports {
            world.people.get_mut(&report).unwrap().boss = None;
            world.changed("person", &report);
        }
        let groups: Vec<String> =
            world.groups.iter().filter(|(_, g)| g.members.contains(&id)).map(|(id, _)| id.clone()).collect();
        for group in groups {
            world.groups.get_mut(&group).unwrap().members.remove(&id);
            world.changed("group", &group);
        }
        drop(world);
        self.tell(format!("leaves: {id}"));
    }

    fn regroup(&mut self) {
        let groups: Vec<String> = self.shared.lock().groups.keys().cloned().collect();
        let (Some(group), Some(person)) = (self.chance.pick(&groups).cloned(), self.anybody()) else { return };
        let mut world = self.shared.lock();
        let members = &mut world.groups.get_mut(&group).unwrap().members;
        if !members.remove(&person) {
            members.insert(person.clone());
        }
        world.changed("group", &group);
        drop(world);
        self.tell(format!("in or out of {group}: {person}"));
    }

    fn dissolve(&mut self) {
        let groups: Vec<String> = self.shared.lock().groups.keys().cloned().collect();
        if groups.len() < 2 {
            return;
        }
        let Some(group) = self.chance.pick(&groups).cloned() else { return };
        let mut world = self.shared.lock();
        world.groups.remove(&group);
        world.changed("group", &group);
        drop(world);
        self.tell(format!("dissolved: {group}"));
    }

    /// Somebody edits an account at the target.
    fn behind(&mut self, what: &str, edit: impl FnOnce(&mut super::world::World, &str, &mut Chance)) {
        let mut world = self.shared.lock();
        let accounts: Vec<String> =
            world.objects.iter().filter(|(_, object)| object.class == "User").map(|(id, _)| id.clone()).collect();
        let Some(id) = self.chance.pick(&accounts).cloned() else { return };
        edit(&mut world, &id, &mut self.chance);
        drop(world);
        self.tell(format!("behind the back: {what} {id}"));
    }

    async fn cycle(&mut self, options: RunOptions) -> Result<(), String> {
        // A dead owner's lease has to expire.
        self.clock.advance_ms(60_000);
        let step = {
            let mut world = self.shared.lock();
            world.begin();
            world.step
        };
        let since = self.newest_event().await;
        let (spec, name) = (self.rules.spec(), "from-to".into());
        let cx = Context::new("simulator");
        let ended = {
            let run = self.engine.run(&name, &spec, options, Arc::default(), &cx);
            tokio::select! {
                result = run => Ended::Itself(Box::new(result)),
                () = self.shared.crash.notified() => Ended::Died,
            }
        };
        let short = match &ended {
            Ended::Itself(result) => match &**result {
                Ok(report) => format!("{:?} {}", report.status, serde_json::to_string(&report.counts).unwrap()),
                Err(error) => format!("error: {error}"),
            },
            Ended::Died => "died".to_owned(),
        };
        let depth = if options.reconcile {
            "reconcile"
        } else if options.full {
            "full"
        } else {
            ""
        };
        self.tell(format!("cycle {step} {depth}: {short}"));
        if matches!(ended, Ended::Died) {
            // What was on its way ends at its next step.
            tokio::time::sleep(Duration::from_millis(3)).await;
            self.note_unheard().await;
        }
        self.check(&ended, since).await.map_err(|wrong| format!("after cycle {step}: {wrong}"))
    }

    /// What Provost did before it died and did not write down: nobody knows whose these accounts are.
    async fn note_unheard(&self) {
        let objects: Vec<(String, &str)> = {
            let world = self.shared.lock();
            world.objects.iter().map(|(id, object)| (id.clone(), object.class)).collect()
        };
        for (id, class) in objects {
            let class = if class == "User" { "person" } else { "group" };
            let links = self.engine.store().links_by_target("from-to", class, &[id.as_str()]).await.unwrap();
            if links.is_empty() {
                self.shared.lock().objects.get_mut(&id).unwrap().forget();
            }
        }
    }

    async fn newest_event(&self) -> i64 {
        let query = EventQuery { limit: 1, ..EventQuery::default() };
        self.engine.store().events(&query).await.unwrap().first().map_or(0, |event| event.seq)
    }

    /// The promises that hold after every cycle.
    async fn check(&self, ended: &Ended, since: i64) -> Result<(), String> {
        let (writes, bad_read, taken) = {
            let world = self.shared.lock();
            if let Some(doubled) = model::doubles(&world) {
                return Err(doubled);
            }
            (world.writes.clone(), world.bad_read, world.taken.clone())
        };
        if bad_read && !taken.is_empty() {
            return Err(format!("a read proved nothing, and yet: {taken:?}"));
        }
        let Ended::Itself(_) = ended else { return Ok(()) };
        // What went out is in the log: also of a cycle that failed.
        let query = EventQuery { after_seq: Some(since), newest_first: false, limit: 100_000, ..EventQuery::default() };
        let events = self.engine.store().events(&query).await.unwrap();
        let mut done: Vec<(String, String)> = events
            .iter()
            .filter(|event| event.status == EventStatus::Done)
            .map(|event| (event.action.to_string(), event.target_id.as_deref().unwrap_or_default().to_owned()))
            .collect();
        for write in writes {
            let key = (write.action, write.target_id);
            match done.iter().position(|have| *have == key) {
                Some(at) => drop(done.swap_remove(at)),
                None => return Err(format!("no event says {key:?}")),
            }
        }
        Ok(())
    }

    /// The faults stop; the target becomes what the source says.
    async fn settle(&mut self) -> Result<(), String> {
        {
            let mut world = self.shared.lock();
            (world.fault_percent, world.crash_percent) = (0, 0);
        }
        self.tell("the faults stop".to_owned());
        for round in 0..6 {
            self.clock.advance_ms(2 * DAY_MS);
            self.cycle(RunOptions { full: false, reconcile: round == 1 || round == 3 }).await?;
        }
        let wrong = model::verdict(&self.shared.lock(), &self.rules);
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        self.clock.advance_ms(3_600_000);
        self.cycle(RunOptions::default()).await?;
        let attempts = self.shared.lock().attempts;
        if attempts > 0 {
            return Err(format!("{attempts} writes in a cycle that had nothing to do"));
        }
        Ok(())
    }
}
