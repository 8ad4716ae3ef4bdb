use std::time::{Duration, SystemTime};

use bytes::Bytes;
use twenty_webhook_core::ReplayKey;

use crate::{Counts, InboxError, JobFilter, JobId, JobInfo, NewJob, State};

/// The database of an inbox.
///
/// `SqliteStore` and `PostgresStore` implement it. You can implement it for another database, and pass that to
/// [`Inbox::on`](crate::Inbox::on). In the repository, `twenty-webhook-inbox/tests/it/memory.rs` is a complete store in memory, with the
/// rules of order in their shortest form.
///
/// The inbox may cancel any call, and repeats calls that failed. All times are of the database's clock.
pub trait Store: Clone + Send + Sync + 'static {
    /// Adds these jobs in one transaction, due now, except those whose key is stored already. Returns *after* the commit is on disk: the
    /// receiver then answers 2xx, and Twenty never sends them again.
    ///
    /// # Errors
    /// If the database fails.
    fn push(&self, jobs: Vec<NewJob>) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Counts that deliveries may have been lost: one could not be stored, or the receiver was down until now. Catch-up looks at it, in
    /// this process or another. The default counts nothing.
    ///
    /// # Errors
    /// If the database fails.
    fn note_loss(&self) -> impl Future<Output = Result<(), InboxError>> + Send {
        async { Ok(()) }
    }

    /// Gives a worker up to `limit` jobs that are due, under a lease. See [`Claim`].
    ///
    /// # Errors
    /// If the database fails.
    fn claim(&self, claim: &Claim) -> impl Future<Output = Result<Claimed, InboxError>> + Send;

    /// Records the outcomes of attempts whose lease is still held. After an error the same ones come again.
    ///
    /// # Errors
    /// If the database fails.
    fn complete(&self, completions: &[Completion]) -> impl Future<Output = Result<Completed, InboxError>> + Send;

    /// Releases all jobs of a claim whose response was lost, as if they had not been claimed.
    ///
    /// # Errors
    /// If the database fails.
    fn release_claim(&self, token: i64) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// The same database over a separate connection. A heartbeat calls this on its own thread and runtime.
    ///
    /// # Errors
    /// If the database fails.
    fn reconnect(&self) -> impl Future<Output = Result<Self, InboxError>> + Send;

    /// Extends these leases to `lease` from now. Returns the jobs whose lease was still held.
    ///
    /// # Errors
    /// If the database fails.
    fn renew(
        &self,
        leases: &[(JobId, i64)],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<JobId>, InboxError>> + Send;

    /// Recovers jobs whose lease had expired more than `late` before this call, because their process ended or lost the database. Each
    /// counts as a crash, not as an attempt: the job is due again after a second, two, four and so on up to 512, and dead at the crash
    /// number `max_crashes`. A lease that expires while the call waits for the database is left alone: meanwhile no heartbeat could renew
    /// it.
    ///
    /// # Errors
    /// If the database fails.
    fn recover(&self, late: Duration, max_crashes: u32) -> impl Future<Output = Result<Recovered, InboxError>> + Send;

    /// Deletes jobs past their retention, and repairs timestamps left in the future after the clock was set back. Returns whether there
    /// is more to delete.
    ///
    /// # Errors
    /// If the database fails.
    fn maintain(&self, maintenance: &Maintenance) -> impl Future<Output = Result<bool, InboxError>> + Send;

    /// Checks that the database answers, and is the one that was opened.
    ///
    /// # Errors
    /// If the database fails.
    fn health(&self) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Counts jobs by state.
    ///
    /// # Errors
    /// If the database fails.
    fn counts(&self) -> impl Future<Output = Result<Counts, InboxError>> + Send;

    /// A page of jobs, the newest first: up to `limit` that the filter may match, with an id below `before`. The caller applies
    /// [`JobFilter::matches`]; a store uses the filter to read fewer rows, and must leave out batches without the filter's record.
    ///
    /// # Errors
    /// If the database fails.
    fn page(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<JobInfo>, InboxError>> + Send;

    /// One job, and its body if it was not erased.
    ///
    /// # Errors
    /// If the database fails.
    fn find(&self, id: JobId) -> impl Future<Output = Result<Option<(JobInfo, Option<Bytes>)>, InboxError>> + Send;

    /// Changes these jobs, where their state allows it, and is `state` if there is one: they may have changed since they were listed. Returns
    /// how many it changed.
    ///
    /// # Errors
    /// If the database fails.
    fn change(
        &self,
        change: Change,
        ids: &[JobId],
        state: Option<State>,
    ) -> impl Future<Output = Result<u64, InboxError>> + Send;

    /// Pauses or resumes all workers on this database. The setting must survive a restart.
    ///
    /// # Errors
    /// If the database fails.
    fn set_paused(&self, paused: bool) -> impl Future<Output = Result<(), InboxError>> + Send;

    /// Whether workers are paused.
    ///
    /// # Errors
    /// If the database fails.
    fn is_paused(&self) -> impl Future<Output = Result<bool, InboxError>> + Send;
}

/// A worker's request for jobs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// A random number that identifies the leases.
    pub token: i64,
    /// The maximum number of jobs, not counting merged ones.
    pub limit: usize,
    /// The length of the lease, from now.
    pub lease: Duration,
    /// Which jobs with crashes to include.
    pub crashed: Crashed,
    /// The rules of order. `None` claims any job that is due.
    pub order: Option<Order>,
}

impl Claim {
    /// A claim of up to `limit` jobs, in order per record, with leases of this length.
    pub fn new(token: i64, limit: usize, lease: Duration) -> Self {
        Self { token, limit, lease, crashed: Crashed::Alone, order: Some(Order::default()) }
    }
}

/// Which jobs with crashes a worker claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crashed {
    /// None, because the worker runs one already.
    No,
    /// One job that crashed once.
    Once,
    /// One job that crashed once; or one that crashed more often, and then no other job.
    Alone,
}

/// Order per record: a job waits as long as another job of one of its [lanes](NewJob::record_ids) is running, or is open and precedes it by
/// (`updated_at` or else arrival, `event_date`, id).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Order {
    /// A job that has failed for this long no longer blocks the later jobs of its record. `None`: it blocks them until it is dead.
    pub gives_up_after: Option<Duration>,
    /// Merges a burst of `updated` events of one record after none has arrived for this long. `None` merges none.
    pub coalesce: Option<Duration>,
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The claimed jobs.
    pub jobs: Vec<ClaimedJob>,
    /// Whether other jobs are due, so that the worker claims again at once.
    pub more: bool,
    /// Whether a job is due that crashed twice and that [`Claim::crashed`] did not allow.
    pub alone_is_due: bool,
}

/// What [`Store::complete`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completed {
    /// The jobs whose outcome was recorded. The lease of the others was lost.
    pub jobs: Vec<JobId>,
    /// Whether a job that waited for one of these is due now.
    pub woke_others: bool,
}

/// What [`Store::recover`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many jobs there were.
    pub jobs: u64,
    /// Those of them that are dead letters now, and why.
    pub dead: Vec<(JobId, String)>,
}

/// A job under a lease.
#[derive(Clone)]
pub struct ClaimedJob {
    /// The job's number.
    pub id: JobId,
    /// The idempotency key.
    pub key: ReplayKey,
    /// The [tenant](twenty_webhook_core::Verifier::tenant) whose secret signed it. `None` without tenants.
    pub tenant: Option<String>,
    /// The bytes that were signed.
    pub body: Bytes,
    /// The number of attempts that have ended.
    pub attempts: u32,
    /// How often its process ended while the job was handled.
    pub crashes: u32,
    /// When it was stored.
    pub stored_at: SystemTime,
    /// Whether a newer state of its record was handled before.
    pub stale: bool,
    /// Older `updated` jobs of the same record under the same lease, the oldest first.
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
    /// The token of its lease.
    pub token: i64,
    /// The result.
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
    /// It failed with this error, and is due again after this time.
    Retry(Duration, String),
    /// It failed for good with this error.
    Dead(String),
    /// It did not finish. It does not count as an attempt, and is due at once.
    Released,
}

/// The maintenance that workers do once a minute.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Maintenance {
    /// Deletes jobs that were done longer ago.
    pub retention: Duration,
    /// Deletes dead letters whose last attempt ended longer ago. `None` keeps them.
    pub dead_retention: Option<Duration>,
    /// Deletes at most this many of each. The default is 500.
    pub limit: u32,
}

impl Maintenance {
    /// Keeps done jobs for this long, and dead letters forever.
    pub fn new(retention: Duration) -> Self {
        Self { retention, dead_retention: None, limit: 500 }
    }
}

/// What an operator changes about jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Dead and retrying jobs become pending and due, with all attempts; also pending ones whose process crashed. Not erased ones.
    Retry,
    /// Done jobs become pending and due, with all attempts. Not erased ones.
    Rerun,
    /// Jobs are deleted, except running ones.
    Delete,
    /// The body and the error are removed. A pending or retrying job becomes done. The key stays, so a duplicate adds no job.
    Erase,
}
