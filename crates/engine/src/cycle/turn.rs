//! Whose turn it is with an object, while a cycle and its urgent lane work side by side.
//!
//! The cycle takes an object's turn when it decides about it, and has it until the outcome is in the store. The lane seizes
//! turns that nobody has; from then on the object is left alone by the rest of the cycle, which may have read it before it
//! changed, and the next cycle reads it again. What the lane has to wait for, it is told of once it is free.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use provost_connector::Cursor;
use provost_model::ObjectId;
use tokio::sync::Notify;

use super::known::id_hash;

/// A rule's index, and the hash of a source id. Two objects with one hash wait for each other, and no more.
pub(crate) type Key = (usize, u64);

pub(super) fn key(rule: usize, id: &ObjectId) -> Key {
    (rule, id_hash(id))
}

/// The turns of a cycle; the default is that of a cycle without lane, in which everybody always has his.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Option<Arc<Table>>);

#[derive(Debug, Default)]
struct Table {
    state: Mutex<State>,
    /// Something that the lane waits for is free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many have the turn: in a feed one object may come again before its first change is recorded.
    busy: HashMap<Key, u32>,
    seized: HashSet<Key>,
    awaited: HashSet<Key>,
    free: Vec<Key>,
    /// Rules of which the cycle left objects to the lane.
    left: HashSet<usize>,
    /// The lane is open, or about to be.
    open: bool,
    /// The places in the sources' feeds that the lane began at, by rule.
    starts: HashMap<usize, Cursor>,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn with one object: over when its last clone is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn {
    _held: Option<Arc<Held>>,
}

#[derive(Debug)]
struct Held {
    table: Arc<Table>,
    key: Key,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.table.state();
        let State { busy, awaited, free, .. } = &mut *state;
        let Some(count) = busy.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            busy.remove(&self.key);
            if awaited.remove(&self.key) {
                free.push(self.key);
                self.table.freed.notify_one();
            }
        }
    }
}

impl Turn {
    fn of(table: &Arc<Table>, key: Key) -> Self {
        Self { _held: Some(Arc::new(Held { table: table.clone(), key })) }
    }
}

impl Turns {
    /// Those of a cycle that may open a lane.
    pub fn shared() -> Self {
        Self(Some(Arc::default()))
    }

    /// The cycle's turn with an object; none when it is the lane's, and stays it until the cycle's end.
    pub fn take(&self, rule: usize, id: &ObjectId) -> Option<Turn> {
        let Some(table) = &self.0 else { return Some(Turn::default()) };
        let key = key(rule, id);
        let mut state = table.state();
        if state.seized.contains(&key) {
            state.left.insert(rule);
            return None;
        }
        *state.busy.entry(key).or_default() += 1;
        Some(Turn::of(table, key))
    }

    /// The lane's turn with an object; none while the cycle works on it: then [`free`](Self::free) tells when that is over.
    pub fn seize(&self, key: Key) -> Option<Turn> {
        let table = self.0.as_ref()?;
        let mut state = table.state();
        if state.busy.contains_key(&key) {
            state.awaited.insert(key);
            return None;
        }
        // The lane has it: it no longer waits for it, least of all for itself.
        state.awaited.remove(&key);
        state.seized.insert(key);
        state.busy.insert(key, 1);
        Some(Turn::of(table, key))
    }

    /// Gives an object back to the cycle: there is nothing to do for the lane, but there may be once the cycle has come to it.
    pub fn leave(&self, key: Key) {
        if let Some(table) = &self.0 {
            let mut state = table.state();
            state.seized.remove(&key);
            state.awaited.insert(key);
        }
    }

    /// Says that the lane opens: places in feeds that are asked for from now on are later than its own, or may be.
    pub fn open(&self) {
        if let Some(table) = &self.0 {
            table.state().open = true;
        }
    }

    /// Whether cycle and lane share their objects at all.
    pub fn are_shared(&self) -> bool {
        self.0.is_some()
    }

    pub fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|table| table.state().open)
    }

    /// The lane begins at this place in the feed of the rule's class.
    pub fn start(&self, rule: usize, at: Cursor) {
        if let Some(table) = &self.0 {
            table.state().starts.insert(rule, at);
        }
    }

    /// Where the lane began in the feed of the rule's class, once that is known.
    pub fn start_of(&self, rule: usize) -> Option<Cursor> {
        self.0.as_ref()?.state().starts.get(&rule).cloned()
    }

    /// Whether the cycle left objects of this rule to the lane: the next cycle has to begin before they changed.
    pub fn left_some(&self, rule: usize) -> bool {
        self.0.as_ref().is_some_and(|table| table.state().left.contains(&rule))
    }

    /// Waits until the cycle is done with something that the lane waits for.
    pub async fn free(&self) -> Vec<Key> {
        let Some(table) = &self.0 else { return std::future::pending().await };
        loop {
            let free = std::mem::take(&mut table.state().free);
            if !free.is_empty() {
                return free;
            }
            table.freed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_one_sides_at_a_time() {
        let (turns, ada) = (Turns::shared(), ObjectId::from("ada"));
        let of_cycle = turns.take(0, &ada).unwrap();
        assert!(turns.seize(key(0, &ada)).is_none(), "the cycle works on it");
        assert!(turns.seize(key(1, &ada)).is_some(), "another class has its own objects");
        let clone = of_cycle.clone();
        drop(of_cycle);
        assert!(turns.seize(key(0, &ada)).is_none(), "its outcome is not recorded yet");
        drop(clone);
        assert_eq!(turns.free().await, [key(0, &ada)]);
        turns.start(0, Cursor("7".into()));
        assert!(!turns.left_some(0));
        let of_lane = turns.seize(key(0, &ada)).unwrap();
        assert!(turns.take(0, &ada).is_none());
        drop(of_lane);
        assert!(turns.take(0, &ada).is_none(), "what the cycle has read of it may be older");
        assert_eq!((turns.start_of(0), turns.start_of(1)), (Some(Cursor("7".into())), None));
        assert!(turns.left_some(0) && !turns.left_some(1));
        turns.leave(key(0, &ada));
        assert!(turns.0.as_ref().unwrap().state().free.is_empty(), "the lane does not wait for itself");
        drop(turns.seize(key(0, &ada)).unwrap());
        turns.leave(key(0, &ada));
        assert!(turns.0.as_ref().unwrap().state().free.is_empty(), "nor at the second change");
        drop(turns.take(0, &ada).unwrap());
        assert_eq!(turns.free().await, [key(0, &ada)], "whoever was left is told of again");
    }

    #[test]
    fn without_lane_everybody_has_his_turn() {
        let turns = Turns::default();
        let ada = ObjectId::from("ada");
        assert!(turns.take(0, &ada).is_some());
        assert!(turns.take(0, &ada).is_some());
        assert!(turns.seize(key(0, &ada)).is_none());
    }
}
