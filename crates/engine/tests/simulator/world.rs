//! What there is: people and groups at the source, accounts at the target, and what can go wrong between.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Attributes, Digest, Value};
use tokio::sync::Notify;

use super::chance::Chance;

/// One person of the source.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub login: String,
    pub dept: String,
    /// Otherwise a prospect, whom the scope leaves out.
    pub active: bool,
    pub boss: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub name: String,
    pub members: BTreeSet<String>,
}

/// One object of the target.
#[derive(Debug, Clone)]
pub struct Object {
    pub class: &'static str,
    pub attributes: Attributes,
    /// Provost made it, or wrote to it and heard that it was done.
    pub touched: bool,
    /// Made by a request of which Provost may not have heard that it was done.
    pub unheard: bool,
    /// The manager it was made with, unheard: whoever takes it over cannot know where that is from.
    pub made_with: Option<String>,
}

impl Object {
    pub fn manager(&self) -> Option<&str> {
        self.attributes.find("manager").and_then(Value::as_text)
    }

    /// Nobody knows any more whose it is, or what it was made with.
    pub fn forget(&mut self) {
        self.unheard = true;
        self.made_with = self.manager().map(str::to_owned);
    }
}

/// A write that the target did and said so.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub action: String,
    pub target_id: String,
}

#[derive(Default)]
pub struct World {
    pub seed: u64,
    /// The cycle's number.
    pub step: u64,
    /// Of 100 calls so many go wrong.
    pub fault_percent: u64,
    pub crash_percent: u64,
    pub people: BTreeMap<String, Person>,
    pub groups: BTreeMap<String, Group>,
    /// Who had which login at some time.
    pub whose: BTreeMap<String, String>,
    /// What changed at the source, in order: class and id.
    pub feed: Vec<(&'static str, String)>,
    pub objects: BTreeMap<String, Object>,
    pub made: u64,
    /// The target refuses a second account with a name.
    pub unique: bool,
    /// Of this cycle.
    pub writes: Vec<Write>,
    pub attempts: u64,
    /// A read of the source failed or ended early in this cycle.
    pub bad_read: bool,
    /// Of this cycle: everything that was taken away.
    pub taken: Vec<String>,
    rolls: HashMap<String, u64>,
}

/// The world, shared by both sessions and the history.
#[derive(Clone, Default)]
pub struct Shared {
    world: Arc<Mutex<World>>,
    /// Provost dies.
    pub crash: Arc<Notify>,
}

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Dies here: nobody hears of anything any more.
    pub async fn die(&self) -> ! {
        self.crash.notify_one();
        std::future::pending().await
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// It never arrives.
    LostRequest,
    /// It is done, and the answer never arrives.
    LostAnswer,
    Throttled,
    Internal,
    /// Provost dies before, or after, it is done.
    DiesBefore,
    DiesAfter,
}

impl World {
    /// A number for this call: the same whenever the history is played and the call is the nth of its kind in its cycle.
    pub fn roll(&mut self, what: &str) -> Chance {
        let nth = self.rolls.entry(what.to_owned()).or_default();
        *nth += 1;
        let text = format!("{} {} {what} {nth}", self.seed, self.step);
        let digest = Digest::of_bytes(text.as_bytes()).to_string();
        Chance::new(digest.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(byte))))
    }

    pub fn fault(&mut self, what: &str) -> Option<Fault> {
        let (faults, crashes) = (self.fault_percent, self.crash_percent);
        let mut roll = self.roll(what);
        if roll.percent(crashes) {
            return Some(if roll.percent(50) { Fault::DiesBefore } else { Fault::DiesAfter });
        }
        if !roll.percent(faults) {
            return None;
        }
        let all = [Fault::LostRequest, Fault::LostAnswer, Fault::Throttled, Fault::Internal];
        roll.pick(&all).copied()
    }

    /// Begins the next cycle.
    pub fn begin(&mut self) {
        self.step += 1;
        self.writes.clear();
        self.taken.clear();
        self.attempts = 0;
        self.bad_read = false;
        self.rolls.clear();
    }

    pub fn changed(&mut self, class: &'static str, id: &str) {
        self.feed.push((class, id.to_owned()));
    }
}

pub fn error(code: ErrorCode) -> ConnectorError {
    let error = ConnectorError::new(code, "simulated");
    if code == ErrorCode::Throttled { error.after_ms(1) } else { error }
}
