use twenty_webhook_core::{EventName, EventPattern, WebhookEvent};

use crate::{Counts, Inbox, InboxError, Job, State, Store};

/// Which jobs to list, retry or drop.
///
/// ```
/// use twenty_webhook_inbox::{Select, State};
///
/// let people = Select::in_state(State::Dead).named("person.*".parse()?).limit(100);
/// let one = Select::id("01JD4C8Q0V6T6R1Y8XW3K5ZB9N");
/// # Ok::<(), twenty_webhook_core::EventPatternError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Select {
    by: By,
    pattern: Option<EventPattern>,
    limit: usize,
}

#[derive(Clone, Debug)]
enum By {
    Id(String),
    States(Vec<State>),
}

impl Select {
    /// The job with this id, in whatever state.
    pub fn id(id: impl Into<String>) -> Self {
        Self { by: By::Id(id.into()), pattern: None, limit: 1 }
    }

    /// All jobs in this state.
    pub fn in_state(state: State) -> Self {
        Self { by: By::States(vec![state]), pattern: None, limit: usize::MAX }
    }

    /// All jobs.
    pub fn all() -> Self {
        Self { by: By::States(State::ALL.to_vec()), pattern: None, limit: usize::MAX }
    }

    /// Of these, the ones whose event has such a name.
    pub fn named(mut self, pattern: EventPattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Of these, at most so many: the newest.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    fn takes(&self, job: &Job) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(&EventName::from(job.name.as_str())))
    }
}

const PAGE: u32 = 500;

impl<S: Store> Inbox<S> {
    /// How many jobs there are in each state: for metrics, and for an alert when there are dead letters.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn counts(&self) -> Result<Counts, InboxError> {
        self.store.counts().await
    }

    /// The jobs that are selected, the newest first, without their payloads.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs(&self, select: &Select) -> Result<Vec<Job>, InboxError> {
        let (mut found, mut pages) = (Vec::new(), Pages::of(select));
        while let Some(jobs) = pages.next(&self.store).await? {
            found.extend(jobs);
        }
        Ok(found)
    }

    /// One job and its event. The event is data, not proof: it has no [`delivery`](WebhookEvent::delivery).
    ///
    /// # Errors
    /// If the database cannot be read, or what is stored is not an event.
    pub async fn job(&self, id: &str) -> Result<Option<(Job, WebhookEvent)>, InboxError> {
        let Some((job, body)) = self.store.find(id).await? else { return Ok(None) };
        let event = WebhookEvent::from_stored(body).map_err(InboxError::database)?;
        Ok(Some((job, event)))
    }

    /// Makes dead letters, and jobs that wait for their next attempt, due now, with all their attempts before them. Jobs in other
    /// states are left alone. Returns how many there were.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn retry(&self, select: &Select) -> Result<u64, InboxError> {
        let (mut retried, mut pages) = (0, Pages::of(select));
        while let Some(jobs) = pages.next(&self.store).await? {
            retried += self.store.retry(&ids(jobs)).await?;
        }
        if retried > 0 {
            self.wake.notify_one();
        }
        Ok(retried)
    }

    /// Deletes jobs for good, except those that a worker has. Returns how many there were. A duplicate of a deleted job is a new job.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn drop_jobs(&self, select: &Select) -> Result<u64, InboxError> {
        let (mut dropped, mut pages) = (0, Pages::of(select));
        while let Some(jobs) = pages.next(&self.store).await? {
            dropped += self.store.remove(&ids(jobs)).await?;
        }
        Ok(dropped)
    }
}

fn ids(jobs: Vec<Job>) -> Vec<String> {
    jobs.into_iter().map(|job| job.id).collect()
}

/// Walks through what is selected, however many jobs there are.
struct Pages<'a> {
    select: &'a Select,
    /// The id of the last job looked at.
    before: Option<String>,
    /// How many are still wanted.
    left: usize,
}

impl<'a> Pages<'a> {
    fn of(select: &'a Select) -> Self {
        Self { select, before: None, left: select.limit }
    }

    async fn next(&mut self, store: &impl Store) -> Result<Option<Vec<Job>>, InboxError> {
        if self.left == 0 {
            return Ok(None);
        }
        let page = match &self.select.by {
            By::Id(_) if self.before.is_some() => Vec::new(),
            By::Id(id) => store.find(id).await?.map(|(job, _)| job).into_iter().collect(),
            By::States(states) => store.page(states, self.before.as_deref(), PAGE).await?,
        };
        let Some(last) = page.last() else { return Ok(None) };
        self.before = Some(last.id.clone());
        let selected: Vec<_> = page.into_iter().filter(|job| self.select.takes(job)).take(self.left).collect();
        self.left -= selected.len();
        Ok(Some(selected))
    }
}
