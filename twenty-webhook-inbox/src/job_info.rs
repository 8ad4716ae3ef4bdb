use std::fmt;
use std::time::{Duration, SystemTime};

use twenty_webhook_core::ReplayKey;

use crate::JobId;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Stored, and not tried yet. It may wait for an earlier job of its record.
    Pending,
    /// A worker has it.
    Running,
    /// It failed, and will be tried again.
    Retrying,
    /// It was handled. Kept for the [retention](crate::Inbox::retention), so that a duplicate adds no job.
    Done,
    /// It failed for good: a dead letter. Kept until it is [retried](crate::Inbox::retry) or [deleted](crate::Inbox::delete).
    Dead,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Retrying, Self::Done, Self::Dead];

    /// In lower case, for a label of metrics or an argument of a command.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The number of jobs in each state, and the age of the oldest.
///
/// ```
/// use std::time::Duration;
/// use twenty_webhook_inbox::{Inbox, InboxError, State, Store};
///
/// async fn is_behind(inbox: &Inbox<impl Store>) -> Result<bool, InboxError> {
///     let counts = inbox.counts().await?;
///     let waits_long = counts.oldest(State::Pending).is_some_and(|age| age > Duration::from_secs(60));
///     Ok(waits_long || counts.dead > 0)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// [`State::Pending`].
    pub pending: u64,
    /// [`State::Running`].
    pub running: u64,
    /// [`State::Retrying`].
    pub retrying: u64,
    /// [`State::Done`]. On Postgres an estimate beyond 100,000.
    pub done: u64,
    /// [`State::Dead`].
    pub dead: u64,
    /// How long ago the oldest pending job was stored.
    pub oldest_pending: Option<Duration>,
    /// How long ago the oldest retrying job was stored.
    pub oldest_retrying: Option<Duration>,
    /// How long ago the oldest dead letter was stored.
    pub oldest_dead: Option<Duration>,
}

impl Counts {
    /// Jobs that are not completed: pending, running and retrying.
    pub fn open(&self) -> u64 {
        self.pending + self.running + self.retrying
    }

    /// How many are in this state.
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Pending => self.pending,
            State::Running => self.running,
            State::Retrying => self.retrying,
            State::Done => self.done,
            State::Dead => self.dead,
        }
    }

    /// The age of the oldest in this state, where it is known.
    pub fn oldest(&self, state: State) -> Option<Duration> {
        match state {
            State::Pending => self.oldest_pending,
            State::Retrying => self.oldest_retrying,
            State::Dead => self.oldest_dead,
            State::Running | State::Done => None,
        }
    }
}

/// A job without its payload. A [`Store`](crate::Store) makes them. All times are of the database's clock.
#[derive(Clone, Debug)]
pub struct JobInfo {
    /// Its number.
    pub id: JobId,
    /// Its state.
    pub state: State,
    /// The idempotency key.
    pub key: ReplayKey,
    /// The [tenant](twenty_webhook_core::Verifier::tenant) whose secret signed it. `None` without tenants.
    pub tenant: Option<String>,
    /// The tenant, or the workspace if there is no tenant, or empty.
    pub scope: String,
    /// The event's name: `person.created`.
    pub name: String,
    /// The object: `person`.
    pub object: String,
    /// The id of the one record that it is about. `None` if it is about no record, or is a batch of several.
    pub record_id: Option<String>,
    /// How many attempts have ended, since the job was stored, or last retried or rerun.
    pub attempts: u32,
    /// How many times its process ended while it was handled, counted like `attempts`.
    pub crashes: u32,
    /// Why the last attempt failed: the error and its sources, at most 2,000 characters.
    pub last_error: Option<String>,
    /// When it is due, if it is pending or retrying.
    pub due_at: Option<SystemTime>,
    /// When it was stored.
    pub stored_at: SystemTime,
    /// When its last attempt ended.
    pub finished_at: Option<SystemTime>,
    /// The size of the body in bytes. `None` if it was [erased](crate::Inbox::erase).
    pub len: Option<usize>,
}
