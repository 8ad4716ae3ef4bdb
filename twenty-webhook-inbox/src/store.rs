use std::time::{Duration, SystemTime};

use bytes::Bytes;
use twenty_webhook_core::ReplayKey;

use crate::{Counts, InboxError, JobFilter, JobId, JobInfo, NewJob};

/// The database of an inbox.
///
/// `SqliteStore` and `PostgresStore` implement it. You can implement it for another database, and pass that to
/// [`Inbox::on`](crate::Inbox::on). `tests/it/memory.rs` is a complete store, with the rules of order in their shortest form.
///
/// The inbox may cancel every call, and repeats calls that failed. All times are those of the database's clock.
pub trait Store: Clone + Send + Sync + 'static {
    /// Adds these jobs in one transaction, due now, except those whose key is there already. Returns *after* the commit is on disk: the
    /// receiver then answers 2xx, and Twenty never sends them again.
    fn push(&self, jobs: Vec<NewJob>) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Counts that deliveries may have been lost: one could not be stored, or the receiver was down until now. Catch-up looks at it, in
    /// this process or another. By default nothing is counted.
    fn note_loss(&self) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// Gives a worker up to `limit` jobs that are due, under a lease. See [`Claim`].
    fn claim(&self, claim: &Claim) -> impl Future<Output = Result<Claimed, InboxError>> + Send;

    /// Records how attempts ended, where the lease is still this one. Returns whether a job that waited for one of these is due now.
    fn complete(&self, completions: &[Completion]) -> impl Future<Output = Result<bool, InboxError>> + Send;

    /// Releases all jobs of a claim whose answer was lost, as if they had not been claimed.
    fn release_claim(&self, token: i64) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// The same database over a separate connection. A heartbeat calls this on its own thread and runtime.
    fn reconnect(&self) -> impl Future<Output = Result<Self, InboxError>> + Send;

    /// Extends these leases to `lease` from now. Returns the jobs whose lease was still held.
    fn renew(
        &self,
        leases: &[(JobId, i64)],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<JobId>, InboxError>> + Send;

    /// Recovers jobs whose lease ran out more than `late` ago, because their process ended or lost the database. Each counts as a crash, not
    /// as an attempt: the job is due again after a second, two, four and so on, and dead after `max_crashes`. Returns how many there were.
    fn recover(&self, late: Duration, max_crashes: u32) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Deletes jobs past their retention, and repairs timestamps left in the future after the clock was set back. Returns whether there
    /// is more to delete.
    fn maintain(&self, maintenance: &Maintenance) -> impl Future<Output = Result<bool, InboxError>> + Send;

    /// Checks that the database answers, and is the one that was opened.
    fn health(&self) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Counts jobs by state.
    fn counts(&self) -> impl Future<Output = Result<Counts, InboxError>> + Send;

    /// A page of jobs, the newest first: up to `limit` that the filter may match, with an id below `before`. The caller applies
    /// [`JobFilter::matches`]; a store uses the filter to read fewer rows.
    fn page(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<JobInfo>, InboxError>> + Send;

    /// One job, and its body if it was not erased.
    fn find(&self, id: JobId) -> impl Future<Output = Result<Option<(JobInfo, Option<Bytes>)>, InboxError>> + Send;

    /// Changes these jobs, where their state allows it. Returns how many it changed.
    fn change(&self, change: Change, ids: &[JobId]) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Pauses or resumes all workers on this database. Must survive a restart.
    fn set_paused(&self, paused: bool) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Whether workers are paused.
    fn is_paused(&self) -> impl Future<Output = Result<bool, InboxError>> + Send;
}

/// A worker's request for jobs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// A random number that identifies the leases.
    pub token: i64,
    /// At most this many jobs, without the merged ones.
    pub limit: usize,
    /// How long the lease is, from now.
    pub lease: Duration,
    /// Which jobs with crashes may be among them.
    pub crashed: Crashed,
    /// The rules of order. `None`: any job that is due.
    pub order: Option<Order>,
}

impl Claim {
    /// Up to this many jobs, in order per record, for this long.
    pub fn new(token: i64, limit: usize, lease: Duration) -> Self {
        Self { token, limit, lease, crashed: Crashed::Alone, order: Some(Order::default()) }
    }
}

/// Which jobs with crashes a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crashed {
    /// None: the worker runs one already.
    No,
    /// One that crashed once.
    Once,
    /// One that crashed once, or else one that crashed more often, and then nothing else.
    Alone,
}

/// Order per record: a job waits as long as another job of one of its lanes is running, or is open and precedes it by
/// (`updated_at` or else arrival, `event_date`, id).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Order {
    /// A job that has been failing for this long no longer holds up the later ones of its record.
    pub gives_up_after: Option<Duration>,
    /// Merge a burst of `updated` of one record once none has arrived for this long.
    pub coalesce: Option<Duration>,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The jobs.
    pub jobs: Vec<ClaimedJob>,
    /// Other jobs are due: claim again at once.
    pub more: bool,
    /// A job that crashed twice is due, and [`Claim::crashed`] did not allow it.
    pub alone_is_due: bool,
}

/// A job under a lease.
#[derive(Clone)]
pub struct ClaimedJob {
    /// Its number.
    pub id: JobId,
    /// Its key.
    pub key: ReplayKey,
    /// The tenant whose secret signed it.
    pub tenant: Option<String>,
    /// The bytes that were signed.
    pub body: Bytes,
    /// How many attempts have ended.
    pub attempts: u32,
    /// How many times its process crashed.
    pub crashes: u32,
    /// When it was stored.
    pub stored_at: SystemTime,
    /// A newer state of its record was handled before.
    pub stale: bool,
    /// Older `updated` of the same record that are under the same lease, the oldest first.
    pub merged: Vec<ClaimedJob>,
}

/// Without the payload.
impl std::fmt::Debug for ClaimedJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedJob").field("id", &self.id).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Completion {
    /// The job.
    pub id: JobId,
    /// Its lease.
    pub token: i64,
    /// What to do with it.
    pub outcome: Outcome,
}

impl Completion {
    /// A completion of this job under this lease.
    pub fn new(id: JobId, token: i64, outcome: Outcome) -> Self {
        Self { id, token, outcome }
    }
}

/// The result of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was handled.
    Done,
    /// It failed, and is due again after this long.
    Retry(Duration, String),
    /// It failed for good.
    Dead(String),
    /// It was not finished, and does not count as an attempt. Due at once.
    Released,
}

/// The maintenance that workers do once a minute.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Maintenance {
    /// Delete jobs that were done longer ago.
    pub retention: Duration,
    /// Delete dead letters that died longer ago.
    pub dead_retention: Option<Duration>,
    /// The length of a lease: an end further away is an error of the clock.
    pub lease: Duration,
    /// Delete at most this many of each.
    pub limit: u32,
}

impl Maintenance {
    /// Keeps done jobs for this long, and dead letters for ever.
    pub fn new(retention: Duration, lease: Duration) -> Self {
        Self { retention, dead_retention: None, lease, limit: 500 }
    }
}

/// What an operator does to jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Dead and retrying jobs are pending and due, with all their attempts.
    Retry,
    /// Done jobs are pending and due, with all their attempts.
    Rerun,
    /// Deleted for good, except running jobs.
    Delete,
    /// The body and the error are gone. A job that was not handled is done. The key stays, so a duplicate adds no job.
    Erase,
}
