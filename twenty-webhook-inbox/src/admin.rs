use twenty_webhook_core::WebhookEvent;

use crate::{Change, Counts, Inbox, InboxError, JobFilter, JobId, JobInfo, Store};

const PAGE: u32 = 500;

impl<S: Store> Inbox<S> {
    /// How many jobs are in each state, and how old the oldest are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn counts(&self) -> Result<Counts, InboxError> {
        self.store.counts().await
    }

    /// Checks that the database answers, and that its file is still the one that was opened. For a health check.
    ///
    /// # Errors
    /// If it does not answer within the [deadline](Self::deadline), or the file was deleted or replaced.
    pub async fn health(&self) -> Result<(), InboxError> {
        let deadline = self.deadline;
        tokio::time::timeout(deadline, self.store.health()).await.unwrap_or(Err(InboxError::Deadline(deadline)))
    }

    /// The jobs that match, the newest first, without their payloads. Use it as a dry run before you change jobs.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<JobInfo>, InboxError> {
        let (mut found, mut pages) = (Vec::new(), Pages::of(filter));
        while let Some(jobs) = pages.next(&self.store).await? {
            found.extend(jobs);
        }
        Ok(found)
    }

    /// The next page of a list, the newest first: up to `filter`'s limit of jobs with an id below `before`. `None` starts with the newest
    /// job.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn jobs_before(&self, filter: &JobFilter, before: Option<JobId>) -> Result<Vec<JobInfo>, InboxError> {
        let (mut found, mut pages) = (Vec::new(), Pages { before, ..Pages::of(filter) });
        while let Some(jobs) = pages.next(&self.store).await? {
            found.extend(jobs);
        }
        Ok(found)
    }

    /// One job and its event, which is `None` if it was [erased](Self::erase). The event is data, not proof: it has no
    /// [`delivery`](WebhookEvent::delivery).
    ///
    /// # Errors
    /// If the database cannot be read, or what is stored is not an event.
    pub async fn job(&self, id: JobId) -> Result<Option<(JobInfo, Option<WebhookEvent>)>, InboxError> {
        let Some((job, body)) = self.store.find(id).await? else { return Ok(None) };
        let event = body.map(WebhookEvent::from_stored).transpose().map_err(InboxError::database)?;
        Ok(Some((job, event)))
    }

    /// Makes dead letters and retrying jobs due now, with all their attempts again; also pending ones whose process crashed. Leaves other
    /// jobs alone, and [erased](Self::erase) ones. Returns how many it changed.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn retry(&self, filter: &JobFilter) -> Result<u64, InboxError> {
        self.change(Change::Retry, filter).await
    }

    /// Makes done jobs due again, with all their attempts: after you fixed a fault in the handler, for example. Leaves jobs in other states
    /// alone, and [erased](Self::erase) ones. Returns how many it changed.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn rerun(&self, filter: &JobFilter) -> Result<u64, InboxError> {
        self.change(Change::Rerun, filter).await
    }

    /// Deletes jobs for good, except running ones. Returns how many it deleted. A duplicate of a deleted job is a new job.
    ///
    /// List them with [`jobs`](Self::jobs) first. With a state in the filter, a job that has left that state meanwhile stays: a dead letter
    /// that was retried, for example.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn delete(&self, filter: &JobFilter) -> Result<u64, InboxError> {
        self.change(Change::Delete, filter).await
    }

    /// Erases the bodies and errors of a record's events. The rows and keys stay, so that a duplicate adds no job. An event that was not
    /// handled yet never is, and an attempt that is under way is the last. Neither events of other records that mention this one nor backups
    /// are erased. Returns how many there were.
    ///
    /// A batch with the record in it is erased whole. If it was not handled yet, what it says of its other records is not handled either:
    /// erase when no such batch is open.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn erase(&self, object: &str, record_id: &str) -> Result<u64, InboxError> {
        self.change(Change::Erase, &JobFilter::all().record(object, record_id)).await
    }

    /// Stops all workers on this inbox, in all processes, until [`resume`](Self::resume): they finish what they have, and claim nothing.
    /// Deliveries are still stored. A pause survives a restart.
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn pause(&self) -> Result<(), InboxError> {
        self.store.set_paused(true).await
    }

    /// Ends a [`pause`](Self::pause).
    ///
    /// # Errors
    /// If the database cannot be written to.
    pub async fn resume(&self) -> Result<(), InboxError> {
        self.store.set_paused(false).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Whether the inbox is [paused](Self::pause).
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn is_paused(&self) -> Result<bool, InboxError> {
        self.store.is_paused().await
    }

    async fn change(&self, change: Change, filter: &JobFilter) -> Result<u64, InboxError> {
        let (mut changed, mut pages) = (0, Pages::of(filter));
        while let Some(jobs) = pages.next(&self.store).await? {
            let ids: Vec<_> = jobs.into_iter().map(|job| job.id).collect();
            if !ids.is_empty() {
                changed += self.store.change(change, &ids, filter.only_state()).await?;
            }
        }
        if changed > 0 {
            self.wake.notify_one();
        }
        Ok(changed)
    }
}

/// Reads the jobs that match, page by page.
struct Pages<'a> {
    filter: &'a JobFilter,
    /// The id of the last job looked at.
    before: Option<JobId>,
    /// How many more jobs to find.
    left: usize,
}

impl<'a> Pages<'a> {
    fn of(filter: &'a JobFilter) -> Self {
        Self { filter, before: None, left: filter.limit }
    }

    async fn next(&mut self, store: &impl Store) -> Result<Option<Vec<JobInfo>>, InboxError> {
        if self.left == 0 {
            return Ok(None);
        }
        let page = match self.filter.id {
            Some(_) if self.before.is_some() => Vec::new(),
            Some(id) => store.find(id).await?.map(|(job, _)| job).into_iter().collect(),
            None => store.page(self.filter, self.before, PAGE).await?,
        };
        let Some(last) = page.last() else { return Ok(None) };
        self.before = Some(last.id);
        let is_last = self.filter.ends_before(last);
        let found: Vec<_> = page.into_iter().filter(|job| self.filter.matches(job)).take(self.left).collect();
        self.left = if is_last { 0 } else { self.left - found.len() };
        Ok(Some(found))
    }
}
