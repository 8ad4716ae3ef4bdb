use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use twenty_webhook_core::{DeliveryId, UnixMillis, WebhookEvent};
use ulid::Ulid;

use crate::InboxError;

/// An event on its way into a [`Store`](crate::Store): the raw body, and what is told about it.
///
/// A store keeps it as a pending task of apalis that is due now, by the database's clock. Its limit of attempts is the highest there is,
/// because how often it is tried is the worker's to say.
#[derive(Clone)]
pub struct NewJob {
    id: Ulid,
    body: Bytes,
    key: DeliveryId,
    name: String,
    sent_at: UnixMillis,
}

impl NewJob {
    pub(crate) fn new(event: &WebhookEvent) -> Result<Self, InboxError> {
        let delivery = event.delivery().ok_or(InboxError::Unverified)?;
        Ok(Self {
            id: Ulid::generate(),
            body: event.body().clone(),
            key: event.delivery_id(),
            name: printable(event.name().as_str()),
            sent_at: delivery.sent_at(),
        })
    }

    /// A new id.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The bytes that were signed.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The idempotency key.
    pub fn key(&self) -> String {
        self.key.to_string()
    }

    /// What apalis calls metadata: the event's `name`, and `sent_at` in Unix milliseconds. A flat object of texts.
    pub fn metadata(&self) -> Value {
        json!({"name": self.name, "sent_at": self.sent_at.to_string()})
    }
}

/// The name and the size, never the payload.
impl std::fmt::Debug for NewJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewJob").field("name", &self.name).field("len", &self.body.len()).finish_non_exhaustive()
    }
}

/// Without what a database's text cannot hold (Postgres knows no NUL) and a terminal should not print.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(2_000).map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Stored, and not tried yet.
    Pending,
    /// A worker has it.
    Running,
    /// It failed, and will be tried again.
    Retrying,
    /// It was handled. Kept for the [retention](crate::Inbox::retention), so that a duplicate is known.
    Done,
    /// It failed as often as it may: a dead letter. Kept until it is [retried](crate::Inbox::retry) or
    /// [dropped](crate::Inbox::drop_jobs).
    Dead,
}

impl State {
    /// All of them.
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

    /// What apalis calls it. A job that a worker has is `Queued`, or `Running` where another program on apalis marks it so.
    pub fn statuses(self) -> &'static [&'static str] {
        match self {
            Self::Pending => &["Pending"],
            Self::Running => &["Queued", "Running"],
            Self::Retrying => &["Failed"],
            Self::Done => &["Done"],
            Self::Dead => &["Killed"],
        }
    }

    /// The state of apalis' status.
    pub fn of_status(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.statuses().contains(&status))
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn statuses(states: &[State]) -> Vec<&'static str> {
    states.iter().flat_map(|state| state.statuses()).copied().collect()
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many jobs there are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// [`State::Pending`].
    pub pending: u64,
    /// [`State::Running`].
    pub running: u64,
    /// [`State::Retrying`].
    pub retrying: u64,
    /// [`State::Done`].
    pub done: u64,
    /// [`State::Dead`].
    pub dead: u64,
}

impl Counts {
    /// Sums up apalis' statuses.
    pub fn of_statuses<'a>(rows: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        let mut counts = Self::default();
        for (status, count) in rows {
            match State::of_status(status) {
                Some(State::Pending) => counts.pending += count,
                Some(State::Running) => counts.running += count,
                Some(State::Retrying) => counts.retrying += count,
                Some(State::Done) => counts.done += count,
                Some(State::Dead) => counts.dead += count,
                None => {}
            }
        }
        counts
    }

    /// What is not settled yet: pending, running and retrying.
    pub fn open(&self) -> u64 {
        self.pending + self.running + self.retrying
    }
}

/// What is known about a job, without its payload. A [`Store`](crate::Store) makes them.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id. Ids sort by the time at which they were stored.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// The event's name: `person.created`.
    pub name: String,
    /// The [`DeliveryId`](twenty_webhook_core::DeliveryId), in hex.
    pub delivery_id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is due, or was, in Unix seconds.
    pub due_at: u64,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// The size of the body in bytes.
    pub len: usize,
}

impl Job {
    /// When it was stored.
    pub fn stored_at(&self) -> Option<SystemTime> {
        let id = Ulid::from_string(&self.id).ok()?;
        Some(UNIX_EPOCH + Duration::from_millis(id.timestamp_ms()))
    }
}

/// A job's row as both databases give it.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) name: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) last_result: Option<String>,
    pub(crate) run_at: i64,
    pub(crate) worker: Option<String>,
    pub(crate) len: i64,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl From<Row> for Job {
    fn from(row: Row) -> Self {
        // apalis keeps serde's form of a `Result`.
        let last_error = row.last_result.and_then(|result| {
            let result: Value = serde_json::from_str(&result).ok()?;
            Some(result.get("Err")?.as_str()?.to_owned())
        });
        Self {
            id: row.id,
            state: State::of_status(&row.status).unwrap_or(State::Running),
            name: row.name.unwrap_or_default(),
            delivery_id: row.key.unwrap_or_default(),
            attempts: row.attempts.try_into().unwrap_or(0),
            last_error,
            due_at: row.run_at.try_into().unwrap_or(0),
            worker: row.worker,
            len: row.len.try_into().unwrap_or(0),
        }
    }
}
