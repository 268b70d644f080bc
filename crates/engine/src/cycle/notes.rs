//! What the tasks of a cycle tell its recorder: a shared pad, not a channel. A channel wakes its reader for every note; the
//! pad wakes it for the first one, when a page is full, and when somebody waits for what he noted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use provost_connector::ScanFault;
use provost_model::{ObjectId, Text};
use provost_store::{LinkRow, ReferenceKey, ReferenceRow};
use tokio::sync::{Notify, oneshot};

use super::intent::{Intent, ReferenceDelta};
use super::outcome::{Place, Settled};
use super::turn::Turn;
use crate::decide::Fault;
use crate::error::EngineError;

/// Notes that make a page: it is written at once.
const PAGE: usize = 1000;
/// Notes on the pad at most; who has more to tell waits.
const LIMIT: usize = 2 * PAGE;
/// How long a first note waits for company. A page costs the same few commands whatever its size.
const LINGER: Duration = Duration::from_millis(100);

/// Something that happened to one object.
#[derive(Debug)]
pub(crate) enum Note {
    Touch(Place),
    Skip(Place, String),
    Forget(usize, ObjectId),
    Fault(Place, Fault),
    ReadFault(usize, ScanFault),
    Planned(Intent),
    /// Something to know about an object or an account, of which nothing follows.
    Told(Box<Told>),
    /// A planned operation that another one took the place of.
    Superseded(i64),
    Settled(Settled),
    /// Only the wished references of a linked object changed.
    References(Place, ReferenceDelta),
    /// References that were sent or taken away at the target, with the event that says so; or, without one, as they have to be
    /// until that is known.
    Sent {
        event: Option<Box<provost_store::EventRow>>,
        sent: Vec<ReferenceRow>,
        gone: Vec<ReferenceKey>,
    },
    /// A link as it has to be now: an account that is missing at the target.
    Relink(Box<LinkRow>, Turn),
    Flush(oneshot::Sender<()>),
}

/// What is told in the log alone.
#[derive(Debug)]
pub(crate) struct Told {
    pub rule: usize,
    /// Empty for an account without owner.
    pub source_id: ObjectId,
    pub target_id: Option<ObjectId>,
    pub name: Text,
    pub action: &'static str,
    pub reason: String,
}

impl Note {
    /// Whether an object failed that has no account, so that an account which nobody has may be its.
    pub fn is_unsettled(&self) -> bool {
        let is_homeless = |link: &Option<Box<LinkRow>>| link.as_ref().is_none_or(|link| link.target_id.is_none());
        match self {
            Note::Fault(place, _) => is_homeless(&place.link),
            Note::ReadFault(..) => true,
            Note::Settled(settled) => {
                settled.result.is_err() && is_homeless(&settled.intent.link) && !settled.intent.is_ownerless()
            }
            _ => false,
        }
    }

    /// The turn with the object that the note is about; over once the note is in the store.
    pub fn turn(&self) -> Option<&Turn> {
        match self {
            Note::Touch(place) | Note::Skip(place, _) | Note::Fault(place, _) | Note::References(place, _) => {
                Some(&place.turn)
            }
            Note::Planned(intent) => Some(&intent.turn),
            Note::Settled(settled) => Some(&settled.intent.turn),
            Note::Relink(_, turn) => Some(turn),
            Note::Forget(..)
            | Note::ReadFault(..)
            | Note::Superseded(_)
            | Note::Told(_)
            | Note::Sent { .. }
            | Note::Flush(_) => None,
        }
    }
}

/// The writing end of the pad; clones write on the same one.
#[derive(Clone)]
pub(crate) struct Notes(Arc<Open>);

/// The pad is closed when the last writing end is gone.
struct Open(Arc<Pad>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.some.notify_one();
    }
}

/// The reading end, held by the recorder.
pub(super) struct Reader(Arc<Pad>);

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.unread = true;
        // Whoever waits for these hears that nobody will write them.
        state.notes.clear();
        drop(state);
        self.0.room.notify_waiters();
    }
}

struct Pad {
    state: Mutex<State>,
    some: Notify,
    room: Notify,
}

#[derive(Default)]
struct State {
    notes: Vec<Note>,
    /// Somebody waits for what he noted.
    urgent: bool,
    /// No more notes will come.
    closed: bool,
    /// Nobody reads any more.
    unread: bool,
}

impl Pad {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new pad.
pub(super) fn pad() -> (Notes, Reader) {
    let pad = Arc::new(Pad { state: Mutex::default(), some: Notify::new(), room: Notify::new() });
    (Notes(Arc::new(Open(pad.clone()))), Reader(pad))
}

impl Notes {
    /// Hands a note over. Fails only when the recorder has stopped; its error comes from its `finish`.
    pub async fn note(&self, note: Note) -> Result<(), EngineError> {
        let pad = &self.0.0;
        loop {
            let room = pad.room.notified();
            tokio::pin!(room);
            {
                let mut state = pad.state();
                if state.unread {
                    return Err(EngineError::Cancelled);
                }
                if state.notes.len() < LIMIT {
                    state.urgent |= matches!(note, Note::Flush(_));
                    state.notes.push(note);
                    if state.urgent || matches!(state.notes.len(), 1 | PAGE) {
                        pad.some.notify_one();
                    }
                    return Ok(());
                }
                // Enlisted under the lock, so that no room is announced in between.
                room.as_mut().enable();
            }
            room.await;
        }
    }

    /// Waits until everything noted so far is in the store.
    pub async fn flush(&self) -> Result<(), EngineError> {
        let (done, wait) = oneshot::channel();
        self.note(Note::Flush(done)).await?;
        wait.await.map_err(|_| EngineError::Cancelled)
    }
}

/// Writes down which references are about to be sent along with these changes.
pub(super) async fn announce(
    cycle: &super::Cycle,
    notes: &Notes,
    intents: &[super::intent::Intent],
) -> Result<(), EngineError> {
    let rows: Vec<ReferenceRow> = intents.iter().flat_map(|intent| intent.announced(&cycle.job.name)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    notes.note(Note::Sent { event: None, sent: rows, gone: Vec::new() }).await?;
    notes.flush().await
}

impl Reader {
    /// All notes there are, once a page is full, somebody waits, or the first one has waited long enough. None at the end.
    pub async fn page(&self) -> Option<Vec<Note>> {
        let pad = &self.0;
        while !self.is(|state| !state.notes.is_empty() || state.closed) {
            pad.some.notified().await;
        }
        let full = |state: &State| state.notes.len() >= PAGE || state.urgent || state.closed;
        let company = async {
            while !self.is(full) {
                pad.some.notified().await;
            }
        };
        // Out of patience: what there is will do.
        let _ = tokio::time::timeout(LINGER, company).await;
        let mut state = pad.state();
        // As large as the last one: growing step by step would copy every note a few times.
        let next = Vec::with_capacity(state.notes.len());
        let page = std::mem::replace(&mut state.notes, next);
        state.urgent = false;
        drop(state);
        pad.room.notify_waiters();
        // Empty only when the pad was closed with nothing on it.
        (!page.is_empty()).then_some(page)
    }

    fn is(&self, test: impl Fn(&State) -> bool) -> bool {
        test(&self.0.state())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note::Forget(0, ObjectId::from("x"))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_notes_arrive_and_the_end_is_told() {
        let (notes, reader) = pad();
        let writers: Vec<_> = (0..5)
            .map(|_| {
                let notes = notes.clone();
                tokio::spawn(async move {
                    for _ in 0..3 * PAGE {
                        notes.note(note()).await.unwrap();
                    }
                    notes.flush().await.unwrap();
                })
            })
            .collect();
        drop(notes);
        let mut count = 0;
        while let Some(page) = reader.page().await {
            assert!(page.len() <= LIMIT);
            for note in page {
                match note {
                    Note::Flush(done) => done.send(()).unwrap(),
                    _ => count += 1,
                }
            }
        }
        assert_eq!(count, 15 * PAGE);
        for writer in writers {
            writer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_reader_that_is_gone_hears_of_it() {
        let (notes, reader) = pad();
        let waiting = tokio::spawn({
            let notes = notes.clone();
            async move { notes.flush().await }
        });
        tokio::task::yield_now().await;
        drop(reader);
        assert!(waiting.await.unwrap().is_err());
        assert!(notes.note(note()).await.is_err());
    }
}
