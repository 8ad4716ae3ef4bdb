use std::time::Duration;

use apalis_core::backend::TaskResult;
use apalis_core::task::Task;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use bytes::Bytes;
use serde_json::Value;

use crate::{Counts, InboxError, Job, NewJob, State};

/// A database that apalis keeps jobs in: what the inbox asks of it, most of which apalis' crates have a query for.
///
/// `SqliteStore` and `PostgresStore` are two. Another one is some statements in your own crate, and [`Inbox::on`](crate::Inbox::on) takes
/// it; nothing here needs to change. `tests/it/memory.rs` is the whole of one.
///
/// Every method may be cancelled, and may be called again when it failed. What receivers and workers call is given a deadline; what
/// operators call (counts, pages, retries) is not.
pub trait Store: Clone + Send + Sync + 'static {
    /// Adds these jobs in one transaction and leaves out those whose key is there. Returns how many are new, *after* the commit is on
    /// disk: what this says is stored is answered 2xx, and Twenty never sends it again.
    fn push(&self, jobs: Vec<NewJob>) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Makes a worker known, under a name that no worker had before.
    fn register(&self, worker: &WorkerContext) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Says that a worker is alive, and gives back the jobs of those that have not said so for `dead_after`. `false` if there is no such
    /// worker (any more).
    fn beat(
        &self,
        worker: &WorkerContext,
        dead_after: Duration,
    ) -> impl Future<Output = Result<bool, InboxError>> + Send;

    /// Takes up to `limit` jobs that are due.
    fn take(
        &self,
        worker: &WorkerContext,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Task<Vec<u8>>>, InboxError>> + Send;

    /// Writes down how attempts ended, for those jobs that this worker still has.
    fn settle(&self, worker: &str, settled: Vec<Settled>) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Gives back what a worker has, as if it had never been taken, all but the jobs in `but`.
    fn hand_back(&self, worker: &str, but: &[String]) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Deletes up to `limit` jobs that were done longer than `retention` ago, and undoes what a clock that was set back has done: no
    /// job waits longer than `longest_wait`, none that was not tried waits at all, no worker was seen in the future. Returns how many were deleted.
    fn tidy(
        &self,
        retention: Duration,
        longest_wait: Duration,
        limit: u32,
    ) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Counts jobs by state.
    fn counts(&self) -> impl Future<Output = Result<Counts, InboxError>> + Send;

    /// A page of jobs in these states, the newest first: those with an id less than `before`.
    fn page(
        &self,
        states: &[State],
        before: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Job>, InboxError>> + Send;

    /// One job, and its body.
    fn find(&self, id: &str) -> impl Future<Output = Result<Option<(Job, Bytes)>, InboxError>> + Send;

    /// Makes dead and retrying jobs pending again, with all their attempts. Returns how many there were.
    fn retry(&self, ids: &[String]) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Deletes jobs that no worker has. Returns how many there were.
    fn remove(&self, ids: &[String]) -> impl Future<Output = Result<u64, InboxError>> + Send;
}

/// How an attempt ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settled {
    /// The job.
    pub id: TaskId,
    /// Which attempt it was, counted from 1.
    pub attempt: usize,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was handled.
    Done,
    /// It failed, and is due again after this long.
    Retry(Duration, String),
    /// It failed for the last time.
    Dead(String),
}

impl Settled {
    /// What apalis' own queries take.
    pub fn to_task_result(&self) -> TaskResult<Value> {
        let (status, result) = match &self.outcome {
            Outcome::Done => (Status::Done, Ok(Value::Null)),
            Outcome::Retry(_, error) => (Status::Failed, Err(error.clone())),
            Outcome::Dead(error) => (Status::Killed, Err(error.clone())),
        };
        TaskResult { task_id: self.id.clone(), attempt: self.attempt, status, result }
    }

    /// In how many whole seconds it is due again, if it is.
    pub fn due_in(&self) -> Option<u64> {
        match &self.outcome {
            Outcome::Retry(after, _) => Some(after.as_secs() + u64::from(after.subsec_nanos() > 0)),
            _ => None,
        }
    }
}
