//! Group commit: writes that arrive together share one transaction, so that 32 clients do not pay 32 commits.

use std::sync::Arc;

use provost_directory::{Directory, DirectoryError, Write, Written};
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;

/// The most writes of one transaction.
const BATCH: usize = 256;

type Answer = Result<Written, WriteError>;
type Waiting = (Write, oneshot::Sender<Answer>);

/// Why a write was not done.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// This one cannot be done.
    Refused(DirectoryError),
    /// The store did not take the transaction; its message went to the log.
    Store,
}

/// A write on its way.
pub(crate) struct Submitted(oneshot::Receiver<Answer>);

impl Submitted {
    /// Waits until it is in the store.
    pub async fn done(self) -> Answer {
        self.0.await.map_err(|_| WriteError::Store)?
    }
}

#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Waiting>);

impl Writer {
    pub fn start(directory: Directory, metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = mpsc::channel(4 * BATCH);
        tokio::spawn(commit(directory, metrics, receiver));
        Self(sender)
    }

    /// Waits until the write is in the store.
    pub async fn write(&self, write: Write) -> Answer {
        self.submit(write).await.done().await
    }

    /// Hands a write in; those of one caller are done in their order.
    pub async fn submit(&self, write: Write) -> Submitted {
        let (done, answer) = oneshot::channel();
        // Where nobody takes it any more, the answer's channel is closed with it.
        let _ = self.0.send((write, done)).await;
        Submitted(answer)
    }
}

/// No artificial wait: while one transaction is under way, the next batch collects.
async fn commit(directory: Directory, metrics: Arc<Metrics>, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut waiting, BATCH).await > 0 {
        metrics.committed(waiting.len());
        let (writes, clients): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let directory = directory.clone();
        // In a task of its own: a defect that panics on one batch must not end all writing.
        let answers = match tokio::spawn(async move { directory.write(writes).await }).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                tracing::error!(error = %error, "a directory transaction failed");
                continue;
            }
            Err(error) => {
                tracing::error!(error = %error, "a directory transaction ended early");
                continue;
            }
        };
        // Clients of a failed transaction see their channel closed. One that hung up finds its write done when it looks.
        for (client, answer) in clients.into_iter().zip(answers) {
            let _ = client.send(answer.map_err(WriteError::Refused));
        }
    }
}
