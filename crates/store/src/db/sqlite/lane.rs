//! Threads that own a connection each, and the queue before them.
//!
//! Whoever wants something done takes a place first, as many as there are threads; so the queue is short, and who waits
//! longer than the store's `wait` is told that it is busy. Threads are started when they are needed, open their connection
//! with the first job, and end with the last handle.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::cells::Cells;
use super::SqliteOptions;
use super::work::{Answer, Work, Worker};
use crate::{Result, StoreError};

/// A handle; clones share the threads.
#[derive(Clone)]
pub struct Lane {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    /// Memory for the values of bulk writes, between two of them.
    spare: Mutex<Cells>,
}

struct Shared {
    options: SqliteOptions,
    most: u32,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    running: u32,
    idle: usize,
    closed: bool,
}

struct Job {
    work: Work,
    in_transaction: bool,
    answer: Option<oneshot::Sender<Result<Answer>>>,
    /// Given back when the job is done, not when its caller goes away: a place stands for a thread's time.
    place: Option<Place>,
}

/// The right to hand in jobs. For a lane of one thread it is that thread, as jobs are done in their order.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Lane {
    pub(super) fn new(options: SqliteOptions, most: u32) -> Self {
        let shared = Shared { options, most, queue: Mutex::default(), more: Condvar::new() };
        let places = Arc::new(Semaphore::new(most as usize));
        Self { handle: Arc::new(Handle { shared: Arc::new(shared), places, spare: Mutex::default() }) }
    }

    /// The database's file.
    pub fn file(&self) -> &Path {
        &self.handle.shared.options.path
    }

    pub(super) async fn place(&self) -> Result<Place> {
        let places = self.handle.places.clone();
        match tokio::time::timeout(self.handle.shared.options.wait, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(StoreError::Busy("no connection became free in time: all are in use".to_owned())),
        }
    }

    /// Does one job by itself. A caller that goes away while it waits for the answer leaves no trace: the job is done or
    /// not, and the next one finds the connection as new.
    pub(in crate::db) async fn call(&self, work: Work) -> Result<Answer> {
        let place = self.place().await?;
        self.hand_in(work, false, Some(place)).await
    }

    /// Hands in a job of somebody who has a place, and waits for the answer.
    pub(super) async fn submit(&self, work: Work, in_transaction: bool) -> Result<Answer> {
        self.hand_in(work, in_transaction, None).await
    }

    async fn hand_in(&self, work: Work, in_transaction: bool, place: Option<Place>) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        self.post(Job { work, in_transaction, answer: Some(answer), place })?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Hands in a job of a transaction whose answer nobody waits for, and the transaction's place with it.
    pub(super) fn leave(&self, work: Work, place: Option<Place>) {
        // A closed lane has closed the connection, and its transaction with it.
        drop(self.post(Job { work, in_transaction: true, answer: None, place }));
    }

    fn post(&self, job: Job) -> Result<()> {
        let shared = &self.handle.shared;
        let mut queue = shared.lock();
        if queue.closed {
            return Err(closed());
        }
        queue.jobs.push_back(job);
        if queue.jobs.len() <= queue.idle || queue.running >= shared.most {
            drop(queue);
            shared.more.notify_one();
            return Ok(());
        }
        let thread = std::thread::Builder::new().name("provost-sqlite".to_owned()).spawn({
            let shared = shared.clone();
            move || Running(shared).serve()
        });
        match thread {
            Ok(thread) => {
                queue.running += 1;
                queue.threads.retain(|thread| !thread.is_finished());
                queue.threads.push(thread);
                Ok(())
            }
            // One of the others will take it.
            Err(_) if queue.running > 0 => Ok(()),
            Err(error) => {
                queue.jobs.pop_back();
                Err(StoreError::Unavailable(format!("cannot start a thread for the database: {error}")))
            }
        }
    }

    pub(super) fn spare(&self) -> Cells {
        std::mem::take(&mut *self.handle.spare.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn keep(&self, cells: Cells) {
        *self.handle.spare.lock().unwrap_or_else(PoisonError::into_inner) = cells;
    }

    /// Waits for open transactions and running jobs, then closes all connections.
    pub async fn close(&self) {
        let _all = self.handle.places.acquire_many(self.handle.shared.most).await;
        self.handle.places.close();
        let threads = self.handle.shared.close();
        drop(tokio::task::spawn_blocking(move || join(threads)).await);
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("options", &self.handle.shared.options).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    /// Waits for the threads: whichever connection is the last to close moves the log into the file, and a program that ended
    /// before would leave a log for the next one to read through. No thread holds a handle, so none waits for itself.
    fn drop(&mut self) {
        join(self.shared.close());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nobody panics half-way through a change of the queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> Vec<JoinHandle<()>> {
        let mut queue = self.lock();
        queue.closed = true;
        self.more.notify_all();
        std::mem::take(&mut queue.threads)
    }

    /// The next job; none when the lane is closed and all are done.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue.idle += 1;
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

/// A thread, counted as long as it lives.
struct Running(Arc<Shared>);

impl Running {
    fn serve(&self) {
        let mut worker = None;
        while let Some(Job { work, in_transaction, answer, place }) = self.0.next() {
            let given_up = || answer.as_ref().is_some_and(oneshot::Sender::is_closed);
            // What nobody waits for any more would only hold up the others. A transaction's jobs are done in any case.
            if !in_transaction && given_up() {
                continue;
            }
            let run = || match &mut worker {
                Some(worker) => Worker::run(worker, work, in_transaction, given_up),
                None => match self.0.options.open() {
                    Ok(connection) => worker.insert(Worker::new(connection)).run(work, in_transaction, given_up),
                    Err(error) => Err(error.into()),
                },
            };
            let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                // The connection goes, and its transaction with it, before anybody hears of it.
                worker = None;
                Err(StoreError::Unavailable(
                    "a defect of provost ended a call of the database; its transaction was rolled back".to_owned(),
                ))
            });
            drop(place);
            if let Some(answer) = answer {
                // Nobody may wait for it any more.
                drop(answer.send(result));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.running -= 1;
        if queue.running == 0 {
            // Nobody is left to do them: whoever waits hears that the lane is gone.
            queue.jobs.clear();
        }
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    // What panicked has been told to its caller.
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database is closed".to_owned())
}
