use std::time::{Duration, SystemTime};

use twenty_webhook_core::{EventName, EventPattern};

use crate::new_job::lane;
use crate::{JobId, JobInfo, State};

/// Which jobs to list, retry, rerun or delete.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use twenty_webhook_inbox::{JobFilter, JobId, State};
///
/// let people = JobFilter::in_state(State::Dead).named("person.*".parse()?).limit(100);
/// let yesterday = SystemTime::now() - Duration::from_hours(24);
/// let one_record_since_yesterday = JobFilter::all().record("person", "b1d6c7a2").since(yesterday);
/// let one = JobFilter::id(JobId::new(42));
/// let if_still_dead = JobFilter::id(JobId::new(42)).state(State::Dead);
/// # Ok::<(), twenty_webhook_core::EventPatternError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct JobFilter {
    pub(crate) id: Option<JobId>,
    state: Option<State>,
    pattern: Option<EventPattern>,
    record: Option<(String, String)>,
    scope: Option<String>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    pub(crate) limit: usize,
}

impl JobFilter {
    /// All jobs, without a limit.
    pub fn all() -> Self {
        Self {
            id: None,
            state: None,
            pattern: None,
            record: None,
            scope: None,
            since: None,
            until: None,
            limit: usize::MAX,
        }
    }

    /// The job with this id, in any state unless [`state`](Self::state) is set.
    pub fn id(id: JobId) -> Self {
        Self { id: Some(id), limit: 1, ..Self::all() }
    }

    /// All jobs in this state.
    pub fn in_state(state: State) -> Self {
        Self { state: Some(state), ..Self::all() }
    }

    /// Only jobs in this state: with [`id`](Self::id), the job if its state has not changed.
    pub fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// Only events whose name matches.
    pub fn named(mut self, pattern: EventPattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Only events of this record, alone or in a batch: an object (`person`) and an id. In every workspace, unless
    /// [`scope`](Self::scope) is set.
    pub fn record(mut self, object: impl Into<String>, id: impl Into<String>) -> Self {
        self.record = Some((object.into(), id.into()));
        self
    }

    /// Only events of this tenant, or of the workspace with this id where there is no tenant.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Only events that were stored at this time or later.
    pub fn since(mut self, since: SystemTime) -> Self {
        self.since = Some(since);
        self
    }

    /// Only events that were stored before this time.
    pub fn until(mut self, until: SystemTime) -> Self {
        self.until = Some(until);
        self
    }

    /// At most this many: the newest.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The state, if it is set.
    pub fn only_state(&self) -> Option<State> {
        self.state
    }

    /// Whether this job matches, without regard to the limit. A batch of the record's object always matches [`record`](Self::record),
    /// because [`JobInfo`] does not list its records: [`Store::page`](crate::Store::page) must leave out the others.
    pub fn matches(&self, job: &JobInfo) -> bool {
        self.id.is_none_or(|id| id == job.id)
            && self.state.is_none_or(|state| state == job.state)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&EventName::from(job.name.as_str())))
            && self.scope.as_ref().is_none_or(|scope| *scope == job.scope)
            && self.since.is_none_or(|since| since <= job.stored_at)
            && self.until.is_none_or(|until| job.stored_at < until)
            && self.record.as_ref().is_none_or(|(object, id)| {
                // A batch has no record id: the store found it by its lanes.
                *object == job.object && job.record_id.as_ref().is_none_or(|record_id| record_id == id)
            })
    }

    /// The lane of the record, if one is set: a 64-bit hash of object and id, by which the stores of this crate search in
    /// [`Store::page`](crate::Store::page). A store of yours gets the lane of each record of a [`NewJob`](crate::NewJob) in the same way:
    /// `JobFilter::all().record(job.object(), id).lane()`.
    pub fn lane(&self) -> Option<i64> {
        self.record.as_ref().map(|(object, id)| lane(object, id))
    }

    /// Whether every job stored before this one is too old. An hour allows for differences between clocks and commits of several receivers.
    pub(crate) fn ends_before(&self, job: &JobInfo) -> bool {
        self.since.is_some_and(|since| job.stored_at + Duration::from_hours(1) < since)
    }
}
