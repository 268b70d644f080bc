//! Units on their way to the workers: a bounded queue that wakes somebody only when somebody sleeps.
//!
//! A channel behind a lock wakes two tasks per unit, one for the unit and one for the lock. Here a worker that comes back
//! takes the next unit without waking anybody, and the planner, once it has filled the queue, sleeps until half is gone.
//! What fills it is weight, since a unit may be one object or a thousand.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A queue of many hands.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Wakes workers, one each.
    some: Notify,
    /// Wakes those who wait for room.
    room: Notify,
    limit: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    /// Workers that sleep and that nobody has woken yet.
    sleeping: usize,
    /// Somebody waits for room.
    crowded: bool,
    closed: bool,
}

impl<T> Queue<T> {
    pub fn new(limit: usize) -> Self {
        let state = State { items: VecDeque::new(), weight: 0, sleeping: 0, crowded: false, closed: false };
        Self { state: Mutex::new(state), some: Notify::new(), room: Notify::new(), limit: limit.max(1) }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, waiting while the queue is full; an item that is heavier than the limit has the queue to itself. Gives the
    /// item back when the queue is closed.
    pub async fn push(&self, item: T, weight: usize) -> Result<(), T> {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            {
                let mut state = self.state();
                if state.closed {
                    return Err(item);
                }
                if state.items.is_empty() || state.weight + weight <= self.limit {
                    state.items.push_back((item, weight));
                    state.weight += weight;
                    if state.sleeping > 0 {
                        state.sleeping -= 1;
                        self.some.notify_one();
                    }
                    return Ok(());
                }
                state.crowded = true;
                // Enlisted under the lock, so that no room is announced in between.
                room.as_mut().enable();
            }
            room.await;
        }
    }

    /// Puts an item before all others, full or not. Gives it back when the queue is closed.
    pub fn overtake(&self, item: T, weight: usize) -> Result<(), T> {
        let mut state = self.state();
        if state.closed {
            return Err(item);
        }
        state.items.push_front((item, weight));
        state.weight += weight;
        if state.sleeping > 0 {
            state.sleeping -= 1;
            self.some.notify_one();
        }
        Ok(())
    }

    /// The next item; none once the queue is closed.
    pub async fn next(&self) -> Option<T> {
        loop {
            let some = self.some.notified();
            tokio::pin!(some);
            {
                let mut state = self.state();
                if state.closed {
                    return None;
                }
                if let Some((item, weight)) = state.items.pop_front() {
                    state.weight -= weight;
                    if state.crowded && state.weight <= self.limit / 2 {
                        state.crowded = false;
                        self.room.notify_waiters();
                    }
                    return Some(item);
                }
                state.sleeping += 1;
                // Enlisted under the lock: of wake-ups that come too early only one would be kept.
                some.as_mut().enable();
            }
            some.await;
        }
    }

    /// Drops what is queued, and ends everybody's waiting; how many items it were.
    pub fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let dropped = state.items.len();
        state.items.clear();
        state.weight = 0;
        state.sleeping = 0;
        self.some.notify_waiters();
        self.room.notify_waiters();
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everything_arrives_once_through_a_small_queue() {
        for (workers, producers) in [(1, 1), (7, 1), (3, 4)] {
            let queue = Arc::new(Queue::new(4));
            let (sum, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let hands: Vec<_> = (0..workers)
                .map(|_| {
                    let (queue, sum, count) = (queue.clone(), sum.clone(), count.clone());
                    tokio::spawn(async move {
                        while let Some(number) = queue.next().await {
                            sum.fetch_add(number, Ordering::Relaxed);
                            count.fetch_add(1, Ordering::Relaxed);
                            if number % 5 == 0 {
                                tokio::task::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            let makers: Vec<_> = (0..producers)
                .map(|_| {
                    let queue = queue.clone();
                    tokio::spawn(async move {
                        for number in 0..1000usize {
                            queue.push(number, 1 + number % 9).await.unwrap();
                        }
                    })
                })
                .collect();
            for maker in makers {
                maker.await.unwrap();
            }
            while count.load(Ordering::Relaxed) < 1000 * producers {
                tokio::task::yield_now().await;
            }
            queue.close();
            for hand in hands {
                hand.await.unwrap();
            }
            assert_eq!(sum.load(Ordering::Relaxed), producers * 499_500);
            assert_eq!(queue.push(1, 1).await, Err(1));
        }
    }

    #[tokio::test]
    async fn what_is_urgent_comes_first_also_into_a_full_queue() {
        let queue = Queue::new(2);
        queue.push("create", 2).await.unwrap();
        queue.overtake("leaver", 1).unwrap();
        assert_eq!(queue.next().await, Some("leaver"));
        assert_eq!(queue.next().await, Some("create"));
        queue.push("fits again", 2).await.unwrap();
        queue.close();
        assert_eq!(queue.overtake("late", 1), Err("late"));
    }

    #[tokio::test]
    async fn closing_ends_a_wait_for_room() {
        let queue = Arc::new(Queue::new(1));
        queue.push(1, 1).await.unwrap();
        let second = tokio::spawn({
            let queue = queue.clone();
            async move { queue.push(2, 1).await }
        });
        tokio::task::yield_now().await;
        queue.close();
        assert_eq!(second.await.unwrap(), Err(2));
    }
}
