//! A transaction on the writing thread: it holds the thread's only place until it ends.

use super::super::cells::Cells;
use super::lane::{Lane, Place};
use super::work::{Answer, Work};
use crate::Result;

/// An open transaction; dropped, it is rolled back.
#[derive(Debug)]
pub struct SqliteTransaction {
    lane: Lane,
    ended: bool,
    /// Goes along with the rollback, so that whoever gets it next finds the connection as new.
    place: Option<Place>,
}

impl SqliteTransaction {
    /// Begins at once with the lock for writing, so that it never fails half-way for having read first.
    pub(in crate::db) async fn begin(lane: &Lane) -> Result<Self> {
        let place = Some(lane.place().await?);
        // Made before anything is begun: a caller that goes away meanwhile drops it.
        let transaction = Self { lane: lane.clone(), ended: false, place };
        lane.submit(Work::Begin, false).await?;
        Ok(transaction)
    }

    pub(in crate::db) async fn call(&mut self, work: Work) -> Result<Answer> {
        self.lane.submit(work, true).await
    }

    /// Runs a statement for all rows, whose values `fill` writes down; how many rows it touched.
    pub(in crate::db) async fn each(
        &mut self,
        text: String,
        columns: usize,
        fill: impl FnOnce(&mut Cells) -> Result<()>,
    ) -> Result<u64> {
        let mut values = self.lane.spare();
        fill(&mut values)?;
        let answer = self.call(Work::Each { text, columns, values }).await?;
        self.lane.keep(answer.cells);
        Ok(answer.touched)
    }

    pub(in crate::db) async fn end(mut self, work: Work) -> Result<()> {
        let result = self.lane.submit(work, true).await;
        self.ended = true;
        result.map(drop)
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if !self.ended {
            self.lane.leave(Work::Rollback, self.place.take());
        }
    }
}
