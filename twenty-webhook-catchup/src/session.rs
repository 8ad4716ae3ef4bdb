use std::collections::HashSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use twenty_webhook_core::escaped;
use twenty_webhook_inbox::{CatchUpCommit, CatchUpScope, CatchUpStore, InboxError};

use crate::api::{Answer, Api};
use crate::backfill::Backfill;
use crate::ids::Ids;
use crate::objects::{Model, Object, model_is_answered};
use crate::page::Page;
use crate::{CatchUp, CatchUpError, ObjectReport, Phase, Progress, Report, changes, ids};

/// The largest page that Twenty returns.
pub(crate) const PAGE_SIZE: u32 = 200;

/// One run, under the lease.
pub(crate) struct Session<'a, S> {
    pub(crate) config: &'a CatchUp,
    pub(crate) api: &'a Api,
    pub(crate) store: &'a S,
    pub(crate) scope: CatchUpScope,
    pub(crate) token: i64,
    pub(crate) backfill: &'a Backfill,
    /// When a pass pauses for the next run.
    pub(crate) pass_deadline: Option<Instant>,
}

impl<S> Session<'_, S> {
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, CatchUpError> {
        self.api.get(path, query, self.config.request_timeout).await
    }
}

impl<S: CatchUpStore> Session<'_, S> {
    /// Returns the report, and whether a pass is unfinished.
    pub(crate) async fn run(&self) -> Result<(Report, bool), CatchUpError> {
        let before = self.api.requests().await;
        let model = Model::read(self).await?;
        let mut reports = Vec::new();
        let ended = self.run_objects(&model, &mut reports).await;
        // Also after an error: what was read is saved.
        #[cfg(feature = "metrics")]
        reports.iter().for_each(crate::metrics::records);
        let has_unfinished_pass = ended?;
        let requests = self.api.requests().await - before;
        Ok((Report { objects: reports, requests }, has_unfinished_pass))
    }

    async fn run_objects(&self, model: &Model, reports: &mut Vec<ObjectReport>) -> Result<bool, CatchUpError> {
        let names = self.config.objects.clone().unwrap_or_else(|| model.names());
        let mut failures = Failures { unanswered: 0, max_unanswered: names.len().min(MAX_UNANSWERED) };
        let mut objects = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            reports.push(ObjectReport { object: name.clone(), ..ObjectReport::default() });
            let changes = async {
                let object = model.find(&name)?;
                changes::run(self, &object, model, &mut reports[at]).await?;
                Ok(object)
            };
            let changes = changes.await;
            if let Some(object) = failures.of_one_object(self, changes, &mut reports[at]).await? {
                reports[at].log();
                objects.push((at, object));
            }
        }
        if !reports.iter().any(|report| report.error.is_some() && model.is_new(&report.object)) {
            self.save(model.progress()?).await?;
        }
        let Some(every) = self.config.destroyed_every else { return Ok(false) };
        for (at, object) in objects {
            let pass = ids::run(self, &object, model, every, &mut reports[at]).await;
            if failures.of_one_object(self, pass, &mut reports[at]).await? == Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a pass must pause, because the next run is due.
    pub(crate) fn must_pause(&self) -> bool {
        self.pass_deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Saves progress that belongs to no object.
    async fn save(&self, progress: (String, String)) -> Result<(), CatchUpError> {
        let (scope, token, lease) = (self.scope.clone(), self.token, self.config.lease);
        let commit = CatchUpCommit { scope, token, lease, progress: vec![progress], ..CatchUpCommit::default() };
        self.store.commit(commit).await?;
        Ok(())
    }

    pub(crate) async fn load<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, CatchUpError> {
        let Some(text) = self.store.progress(self.scope.key(), name).await? else { return Ok(T::default()) };
        serde_json::from_str(&text).map_err(|error| InboxError::database(error).into())
    }

    /// An empty commit for this object.
    pub(crate) fn commit_for(&self, object: &Object, ids: &Ids) -> CatchUpCommit {
        CatchUpCommit {
            scope: self.scope.clone(),
            token: self.token,
            lease: self.config.lease,
            object: object.singular.clone(),
            pass: ids.pass,
            key_tag: self.config.api_key.tag().to_owned(),
            ..CatchUpCommit::default()
        }
    }

    pub(crate) async fn commit(&self, commit: CatchUpCommit, report: &mut ObjectReport) -> Result<(), CatchUpError> {
        for event in &commit.events {
            if let Some(show) = &self.config.on_event {
                show(event);
            }
        }
        let events = commit.events.clone();
        if let Some(handler) = self.config.handler.as_ref().filter(|_| !self.config.dry_run) {
            for event in &events {
                let failed =
                    |source| CatchUpError::Handler { event: escaped(event.name().as_str()).to_string(), source };
                handler.handle(event.clone()).await.map_err(failed)?;
            }
        }
        self.store.commit(commit).await?;
        for event in &events {
            report.count(event.action().as_str());
        }
        Ok(())
    }

    pub(crate) fn show(&self, report: &ObjectReport, phase: Phase, done: u64, total: Option<u64>) {
        if let Some(show) = &self.config.on_progress {
            show(&Progress { object: report.object.clone(), phase, done, total, events: report.events() });
        }
    }
}

pub(crate) fn saved(name: String, state: &impl Serialize) -> Result<(String, String), CatchUpError> {
    let text = serde_json::to_string(state).map_err(InboxError::database)?;
    Ok((name, text))
}

/// After so many objects in a row without a response, Twenty is down, unless it answers for the data model.
const MAX_UNANSWERED: usize = 2;

/// Which errors end a run.
struct Failures {
    /// How many objects in a row had no response.
    unanswered: usize,
    max_unanswered: usize,
}

impl Failures {
    /// Puts the error into the object's report if the run continues after it.
    async fn of_one_object<S, T>(
        &mut self,
        session: &Session<'_, S>,
        ended: Result<T, CatchUpError>,
        report: &mut ObjectReport,
    ) -> Result<Option<T>, CatchUpError> {
        let is_unanswered = matches!(ended, Err(CatchUpError::NoResponse { .. }));
        self.unanswered = if is_unanswered { self.unanswered + 1 } else { 0 };
        match ended {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_of_one_object() && !self.is_down(session).await => {
                tracing::error!(object = report.object, %error, "cannot catch up on this object");
                report.error = Some(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn is_down<S>(&mut self, session: &Session<'_, S>) -> bool {
        if self.unanswered < self.max_unanswered {
            return false;
        }
        if self.max_unanswered == 1 || !model_is_answered(session).await {
            return true;
        }
        self.unanswered = 0;
        false
    }
}

/// Reads a list page by page.
pub(crate) struct Pages<'a> {
    object: &'a Object,
    filter: &'a str,
    cursor: Option<String>,
    limit: u32,
    seen: HashSet<String>,
    is_resumed: bool,
    /// Whether an answer left fields of the records out.
    pub(crate) is_capped: bool,
}

impl<'a> Pages<'a> {
    pub(crate) fn from(object: &'a Object, filter: &'a str, cursor: Option<String>) -> Self {
        let is_resumed = cursor.is_some();
        Self { object, filter, cursor, limit: PAGE_SIZE, seen: HashSet::new(), is_resumed, is_capped: false }
    }

    /// The next page, and the server's date of the response.
    pub(crate) async fn next<S>(&mut self, session: &Session<'_, S>) -> Result<(Page, i64), CatchUpError> {
        loop {
            let limit = self.limit.to_string();
            let mut query =
                vec![("filter", self.filter), ("order_by", "id[AscNullsFirst]"), ("limit", &limit), ("depth", "0")];
            query.extend(self.cursor.as_deref().map(|cursor| ("starting_after", cursor)));
            match session.get(&[&self.object.plural], &query).await {
                Err(CatchUpError::ResponseTooLarge(_)) if self.limit > 1 => self.limit = (self.limit / 4).max(1),
                // The cursor may be old, or from another version of Twenty.
                Err(CatchUpError::Rejected { status: 400, .. }) if self.is_resumed => {
                    tracing::warn!(object = self.object.singular, "a saved cursor is no longer valid: starting over");
                    (self.cursor, self.is_resumed) = (None, false);
                }
                Err(error) => return Err(error),
                Ok(answer) => {
                    if answer.is_capped && !self.is_capped {
                        self.is_capped = true;
                        let object = &self.object.singular;
                        tracing::warn!(object, "records have more than 200 fields, and Twenty leaves out the others");
                    }
                    let page = Page::read(&answer.body, &self.object.plural)?;
                    if let Some(next) = &page.next
                        && (self.cursor.as_ref() == Some(next) || !self.seen.insert(next.clone()))
                    {
                        return Err(CatchUpError::RepeatedCursor);
                    }
                    self.cursor.clone_from(&page.next);
                    self.is_resumed = false;
                    return Ok((page, answer.date));
                }
            }
        }
    }
}
