//! A batch of operations: one transaction, in as few statements as its shapes allow.
//!
//! First everything is done without safety nets. When that fails, the transaction begins anew and each statement gets a
//! savepoint; one that fails is halved until the operation that is to blame stands alone, so that one bad row among a
//! thousand costs some twenty statements and spoils nobody else's. Before the commit is sent nothing is done, and a lost
//! connection says just that; only a lost answer to the commit leaves the outcome unknown.

use std::sync::Arc;
use std::time::Duration;

use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode};
use provost_model::{Action, Operation, Text};

use super::batch::{self, Outcome, Stop};
use super::config::ClassConfig;
use super::db::{Db, Purpose, Trouble, Tx};
use super::fault::{self, Fault, Meaning};
use super::find;
use super::ident;
use super::perform;
use super::plan::{self, Plan, Work};
use super::statement::Param;
use super::table::Table;

/// Times that a batch is begun anew when another transaction is in the way.
const TRIES: u32 = 5;

/// An operation that can be done, and its place in the answer.
struct Job {
    at: usize,
    action: Action,
    table: Arc<Table>,
    plan: Plan,
}

/// Why a whole transaction came to nothing.
enum Abort {
    /// Begin anew: another transaction was in the way.
    Again(Fault),
    /// Nobody was served; the same for all.
    All(ConnectorError),
    /// Something failed while there was no savepoint.
    Careful,
    /// Whether the commit was done is not known.
    Unknown(ConnectorError),
}

pub(super) async fn apply(
    cx: &Context,
    db: &Db,
    tables: &[(Arc<Table>, Arc<ClassConfig>)],
    operations: &[Operation],
) -> Vec<Applied> {
    let mut outcomes: Vec<Option<Outcome>> = operations.iter().map(|_| None).collect();
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for (at, operation) in operations.iter().enumerate() {
        let found = tables.iter().find(|(table, _)| table.class.eq_ignore_ascii_case(&operation.class));
        let Some((table, class)) = found else {
            let message = format!("the connection has no class `{}`", operation.class);
            outcomes[at] =
                Some(Err(ConnectorError::new(ErrorCode::NotSupported, message).hint("name it under `classes`")));
            continue;
        };
        match plan::plan(operation, table, class.statements.of(operation.action)) {
            Err(error) => outcomes[at] = Some(Err(error)),
            Ok(plan) => {
                let is_alone = matches!(plan.work, Work::Own(..)) || !table.transactional;
                let job = Job { at, action: operation.action, table: table.clone(), plan };
                if is_alone { alone.push(job) } else { together.push(job) }
            }
        }
    }
    if !together.is_empty() {
        batch(cx, db, &together, &mut outcomes).await;
    }
    for job in &alone {
        outcomes[job.at] = Some(perform::alone(cx, db, &job.table, job.action, &job.plan).await);
    }
    operations
        .iter()
        .zip(outcomes)
        .map(|(operation, outcome)| match outcome {
            Some(Ok(done)) => Applied::done(operation.id.clone(), done),
            Some(Err(error)) => Applied::failed(operation.id.clone(), error),
            None => Applied::failed(
                operation.id.clone(),
                ConnectorError::new(ErrorCode::Internal, "the operation got no outcome"),
            ),
        })
        .collect()
}

/// Does the jobs in one transaction, or each in its own where a constraint is only checked by the commit.
async fn batch(cx: &Context, db: &Db, jobs: &[Job], outcomes: &mut [Option<Outcome>]) {
    let (mut careful, mut tries) = (false, 0);
    loop {
        match transaction(cx, db, jobs, careful).await {
            Ok(done) => {
                jobs.iter().zip(done).for_each(|(job, outcome)| outcomes[job.at] = Some(outcome));
                return;
            }
            Err(Abort::Careful) if !careful => careful = true,
            Err(Abort::Careful) if jobs.len() > 1 => {
                for job in jobs {
                    Box::pin(batch(cx, db, std::slice::from_ref(job), outcomes)).await;
                }
                return;
            }
            Err(Abort::Again(_)) if tries < TRIES => {
                tries += 1;
                // Apart from each other, so that two do not meet again.
                let wait = Duration::from_millis(20 << tries) + Duration::from_millis(jobs.len() as u64 % 17);
                if let Err(error) = cx.sleep(wait).await {
                    return all(jobs, outcomes, &error);
                }
            }
            Err(Abort::Again(fault)) => return all(jobs, outcomes, &fault::general(&fault, "writing")),
            Err(Abort::All(error) | Abort::Unknown(error)) => return all(jobs, outcomes, &error),
            Err(Abort::Careful) => {
                let error = ConnectorError::new(ErrorCode::Constraint, "the commit was refused");
                return all(jobs, outcomes, &error);
            }
        }
    }
}

fn all(jobs: &[Job], outcomes: &mut [Option<Outcome>], error: &ConnectorError) {
    jobs.iter().for_each(|job| outcomes[job.at] = Some(Err(error.clone())));
}

async fn transaction(cx: &Context, db: &Db, jobs: &[Job], careful: bool) -> Result<Vec<Outcome>, Abort> {
    let mut tx = db.begin(cx, Purpose::Write).await.map_err(|trouble| abort(trouble, "writing"))?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut rest = jobs;
    while let Some(first) = rest.first() {
        let same = |job: &Job| {
            Arc::ptr_eq(&job.table, &first.table) && batch::same_shape(&first.plan, &job.plan, tx.dialect())
        };
        let length = 1 + rest[1..].iter().take_while(|job| same(job)).count();
        let (group, later) = rest.split_at(distinct(&rest[..length]));
        rest = later;
        if careful {
            carefully(cx, &mut tx, group, &mut outcomes).await?;
            continue;
        }
        let plans: Vec<&Plan> = group.iter().map(|job| &job.plan).collect();
        match batch::run(cx, &mut tx, &first.table, &plans).await {
            Ok(done) => outcomes.extend(done),
            Err(stop) => {
                tx.rollback().await;
                return Err(fatal(stop).unwrap_or(Abort::Careful));
            }
        }
    }
    match tx.commit().await {
        Ok(()) => Ok(outcomes),
        Err(Trouble::Stopped(_)) => Err(Abort::Unknown(lost("the database did not answer the commit in time"))),
        Err(Trouble::Db(error)) => {
            let fault = fault::examine(&error);
            match fault.meaning {
                Meaning::Deadlock => Err(Abort::Again(fault)),
                // Only the database's own answer tells that nothing was done.
                _ if error.as_database_error().is_some() && fault.meaning != Meaning::Lost => refused(jobs, fault),
                _ => Err(Abort::Unknown(lost("the connection was cut before the commit was answered"))),
            }
        }
    }
}

/// How many of the first jobs change different rows; creates all do.
fn distinct(jobs: &[Job]) -> usize {
    let mut seen = std::collections::HashSet::with_capacity(jobs.len());
    jobs.iter().take_while(|job| job.plan.id.as_ref().is_none_or(|id| seen.insert(id))).count().max(1)
}

/// A commit that the database refused, for a constraint that it checks at the end.
fn refused(jobs: &[Job], fault: Fault) -> Result<Vec<Outcome>, Abort> {
    match jobs {
        [job] => Ok(vec![Err(fault::write(&fault, &job.table, job.action, None))]),
        _ => Err(Abort::Careful),
    }
}

fn lost(reason: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::UnknownOutcome, reason).hint("the rows are looked at before anything is sent again")
}

/// What ends the transaction for all.
fn fatal(stop: Stop) -> Option<Abort> {
    match stop {
        Stop::Trouble(Trouble::Stopped(error), _) => Some(Abort::All(error)),
        Stop::Trouble(Trouble::Db(error), _) => of_error(&error),
        Stop::Refused(_) | Stop::Disorder => None,
    }
}

fn of_error(error: &sqlx::Error) -> Option<Abort> {
    let fault = fault::examine(error);
    match fault.meaning {
        Meaning::Deadlock => Some(Abort::Again(fault)),
        Meaning::Lost
        | Meaning::Unreachable
        | Meaning::Auth
        | Meaning::Full
        | Meaning::ReadOnly
        | Meaning::Unreadable => Some(Abort::All(fault::general(&fault, "writing; nothing of the batch was done"))),
        _ => None,
    }
}

fn abort(trouble: Trouble, what: &str) -> Abort {
    match trouble {
        Trouble::Db(error) if fault::examine(&error).meaning == Meaning::Deadlock => {
            Abort::Again(fault::examine(&error))
        }
        trouble => Abort::All(fault::read(trouble, what)),
    }
}

/// Does jobs of one shape behind a savepoint, and halves them where that fails.
async fn carefully(cx: &Context, tx: &mut Tx, jobs: &[Job], outcomes: &mut Vec<Outcome>) -> Result<(), Abort> {
    let mut waiting = vec![jobs];
    while let Some(part) = waiting.pop() {
        let Some(first) = part.first() else { continue };
        let plans: Vec<&Plan> = part.iter().map(|job| &job.plan).collect();
        tx.word(cx, "savepoint provost").await.map_err(|trouble| abort(trouble, "writing"))?;
        let stop = match batch::run(cx, tx, &first.table, &plans).await {
            Ok(done) => {
                tx.word(cx, "release savepoint provost").await.map_err(|trouble| abort(trouble, "writing"))?;
                outcomes.extend(done);
                continue;
            }
            Err(stop) => stop,
        };
        if let Stop::Trouble(Trouble::Stopped(error), _) = stop {
            return Err(Abort::All(error));
        }
        if let Stop::Trouble(Trouble::Db(error), _) = &stop
            && let Some(abort) = of_error(error)
        {
            return Err(abort);
        }
        tx.word(cx, "rollback to savepoint provost").await.map_err(|trouble| abort(trouble, "writing"))?;
        if part.len() > 1 {
            let (left, right) = part.split_at(part.len() / 2);
            waiting.extend([right, left]);
            continue;
        }
        let error = match stop {
            Stop::Refused(error) => error,
            Stop::Trouble(Trouble::Db(error), path) => {
                blame(cx, tx, first, &fault::examine(&error), path.as_ref()).await?
            }
            Stop::Trouble(Trouble::Stopped(error), _) => error,
            Stop::Disorder => {
                ConnectorError::new(ErrorCode::Protocol, "the database returned rows that were not asked for")
            }
        };
        outcomes.push(Err(error));
    }
    Ok(())
}

/// The error of one operation, with the row that is in its way.
async fn blame(
    cx: &Context,
    tx: &mut Tx,
    job: &Job,
    fault: &Fault,
    path: Option<&Text>,
) -> Result<ConnectorError, Abort> {
    let mut error = fault::write(fault, &job.table, job.action, path);
    if error.code != ErrorCode::AlreadyExists {
        return Ok(error);
    }
    let (Work::Insert(row), Some(columns)) = (&job.plan.work, fault::unique_columns(fault, &job.table)) else {
        return Ok(error);
    };
    let sent: Option<Vec<(usize, Param)>> =
        columns.iter().map(|at| row.iter().find(|(have, _)| have == at).cloned()).collect();
    let Some(sent) = sent else { return Ok(error) };
    let found = tx.rows(cx, find::same(&sent, &job.table)).await.map_err(|trouble| abort(trouble, "writing"))?;
    if let [row] = found.as_slice() {
        let selection = super::select::Selection::of(&job.table, Some(&[]));
        error.existing_id = super::select::make(row, &selection, &job.table).ok().map(|made| made.record.id);
    } else if job.table.soft_delete.is_some() {
        error.message.push_str(", by a deleted row");
        error.hint = Some("restore or remove the deleted row in the database".to_owned());
    }
    Ok(error)
}

/// What a single operation ends with, for those that go alone.
pub(super) fn settle(id: provost_model::ObjectId) -> Done {
    Done { target_id: id, requests: 1, ..Done::default() }
}

/// The id of a row that does not exist any more.
pub(super) fn gone(plan: &Plan, table: &Table) -> ConnectorError {
    ident::unknown(&plan.id.clone().unwrap_or_default(), table)
}
