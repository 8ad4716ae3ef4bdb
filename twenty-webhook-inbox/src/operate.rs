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

    /// The jobs that are selected, in each state the newest first, without their payloads.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs(&self, select: &Select) -> Result<Vec<Job>, InboxError> {
        let states = match &select.by {
            By::Id(id) => return Ok(self.store.find(id).await?.map(|(job, _)| job).into_iter().collect()),
            By::States(states) => states,
        };
        let mut found = Vec::new();
        for state in states {
            let mut before = None::<String>;
            loop {
                let page = self.store.page(*state, before.as_deref(), PAGE).await?;
                let last = page.len() < PAGE as usize;
                before = page.last().map(|job| job.id.clone());
                found.extend(page.into_iter().filter(|job| select.takes(job)));
                if last || found.len() >= select.limit {
                    break;
                }
            }
        }
        found.truncate(select.limit);
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
        let ids = self.ids(select).await?;
        let mut retried = 0;
        for ids in ids.chunks(PAGE as usize) {
            retried += self.store.retry(ids).await?;
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
        let ids = self.ids(select).await?;
        let mut dropped = 0;
        for ids in ids.chunks(PAGE as usize) {
            dropped += self.store.remove(ids).await?;
        }
        Ok(dropped)
    }

    async fn ids(&self, select: &Select) -> Result<Vec<String>, InboxError> {
        Ok(self.jobs(select).await?.into_iter().map(|job| job.id).collect())
    }
}
