use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::codec::Codec;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::persistence::{Persisted, Persistence, TaskEvent, TaskPersistLayer};
use apalis_core::backend::{Backend, BackendConfig, TaskResult};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use crate::handler::Ended;
use crate::worker::Terms;
use crate::{InboxError, Outcome, Settled, Store};

/// Where an apalis worker takes its tasks from: apalis' machinery for databases, over a [`Store`].
///
/// It is apalis' own source for SQLite and Postgres with three differences, without which a promise of the inbox would not hold. See
/// ARCHITECTURE.md.
pub(crate) struct Source<S: Store> {
    persisted: Persisted<Persist<S>>,
    ticks: Pin<Box<dyn Stream<Item = ()> + Send>>,
    terms: Arc<Terms>,
}

impl<S: Store> Source<S> {
    pub(crate) fn new(persist: Persist<S>, wake: Arc<Notify>) -> Self {
        let terms = Arc::clone(&persist.terms);
        // Told of what this process stores, and looking for what others do.
        let ticks = stream::unfold((wake, terms.poll), |(wake, every)| async move {
            let _ = tokio::time::timeout(every, wake.notified()).await;
            Some(((), (wake, every)))
        });
        Self { persisted: Persisted::new(persist), ticks: Box::pin(ticks), terms }
    }
}

/// Nothing in it is pinned by its place.
impl<S: Store> Unpin for Source<S> {}

impl<S: Store> Backend for Source<S> {
    type Task = Task<Vec<u8>>;
    type Error = InboxError;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), InboxError>> {
        self.persisted.poll_ready(cx, worker, Duration::from_hours(1))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, InboxError>>> {
        // Until it is pending, so that the next tick wakes this again.
        while self.ticks.poll_next_unpin(cx).is_ready() {}
        self.persisted.poll_next(cx, worker)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), InboxError>> {
        self.persisted.poll_close(cx, worker)
    }
}

impl<S: Store> BackendConfig for Source<S> {
    type Args = Vec<u8>;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = TaskPersistLayer<AsItIs, Ended>;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        self.persisted.layer(AsItIs, self.terms.concurrency).persist_results(true)
    }
}

/// How a job ended stays in the process; what is stored of it is a [`Settled`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsItIs;

impl Codec<Ended> for AsItIs {
    type Compact = Ended;
    type Error = Infallible;

    fn encode(&self, ended: &Ended) -> Result<Ended, Infallible> {
        Ok(*ended)
    }

    fn decode(&self, ended: &Ended) -> Result<Ended, Infallible> {
        Ok(*ended)
    }
}

/// Takes and settles jobs for one worker.
pub(crate) struct Persist<S> {
    store: S,
    terms: Arc<Terms>,
    turn: Arc<Mutex<()>>,
    /// How long the database may take to answer.
    answer: Duration,
    held: Arc<std::sync::Mutex<Held>>,
}

/// What this worker has.
#[derive(Debug, Default)]
struct Held {
    jobs: HashSet<String>,
    /// The last answer to a taking was lost: the database may think that this worker has more.
    unsure: bool,
    /// When it was last told what this worker has. It may have finished a lost taking after that.
    told: Option<Instant>,
}

impl<S: Store> Clone for Persist<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            terms: Arc::clone(&self.terms),
            turn: Arc::clone(&self.turn),
            answer: self.answer,
            held: Arc::clone(&self.held),
        }
    }
}

/// Longer than a database takes that is alive.
pub(crate) const ANSWER: Duration = Duration::from_secs(25);

impl<S: Store> Persist<S> {
    pub(crate) fn new(store: S, terms: Arc<Terms>) -> Self {
        Self { store, terms, turn: Arc::default(), answer: ANSWER, held: Arc::default() }
    }

    /// For what must not wait behind other talks.
    pub(crate) fn another_line(&self, answer: Duration) -> Self {
        Self { turn: Arc::default(), answer, ..self.clone() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, worker: &WorkerContext, places: usize) -> Result<Vec<Task<Vec<u8>>>, InboxError> {
        let long_ago = self.held().told.is_none_or(|told| told.elapsed() > Duration::from_mins(1));
        let unsure = mem::replace(&mut self.held().unsure, true);
        if unsure || long_ago {
            let (name, but) = (worker.name().to_owned(), self.held().jobs.iter().cloned().collect::<Vec<_>>());
            self.talk(move |store| async move { store.hand_back(&name, &but).await }).await?;
            self.held().told = Some(Instant::now());
        }
        let worker = worker.clone();
        let tasks = self.talk(move |store| async move { store.take(&worker, places).await }).await?;
        let mut held = self.held();
        held.unsure = false;
        held.jobs.extend(tasks.iter().filter_map(|task| task.ctx().task_id().map(ToString::to_string)));
        Ok(tasks)
    }

    /// Talks to the database in a task of its own, one at a time and in order. apalis stops polling a source while a stopping worker
    /// finishes its jobs, and drops what is under way in it in the end: a transaction would stay open for so long, with SQLite's one
    /// write lock in it, and jobs would be taken and given to nobody.
    pub(crate) async fn talk<T, F>(&self, talk: impl FnOnce(S) -> F) -> Result<T, InboxError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, InboxError>> + Send + 'static,
    {
        let (turn, answer, talk) = (Arc::clone(&self.turn), self.answer, talk(self.store.clone()));
        let talk = async move {
            let _turn = turn.lock().await;
            tokio::time::timeout(answer, talk).await.unwrap_or(Err(InboxError::Deadline(answer)))
        };
        tokio::spawn(talk).await.unwrap_or(Err(InboxError::Closed))
    }

    fn settled(&self, result: TaskResult<Ended>) -> Option<Settled> {
        let TaskResult { task_id: id, attempt, result, .. } = result;
        let outcome = match result {
            Ok(Ended::Handled) => Outcome::Done,
            Ok(Ended::HandedBack) => return None,
            Err(error) if attempt >= self.terms.attempts => Outcome::Dead(error),
            Err(error) => Outcome::Retry(self.terms.backoff.after(attempt), error),
        };
        Some(Settled { id, attempt, outcome })
    }
}

impl<S: Store> Persistence for Persist<S> {
    type Compact = Vec<u8>;
    type Response = Ended;
    type Error = InboxError;

    async fn register(&mut self, worker: &WorkerContext) -> Result<(), InboxError> {
        let worker = worker.clone();
        self.talk(|store| async move { store.register(&worker).await }).await
    }

    /// The worker's heart beats apart from its jobs: apalis' would stop while a stopping worker finishes them, and another worker would
    /// take them for orphans.
    async fn heartbeat(&mut self, _: &WorkerContext) -> Result<(), InboxError> {
        Ok(())
    }

    /// As many as there are places for. What apalis fetches ahead keeps it from settling jobs, and other workers from taking them.
    async fn fetch_next(&mut self, worker: &WorkerContext) -> Result<Vec<Task<Vec<u8>>>, InboxError> {
        let places = self.terms.concurrency.saturating_sub(worker.task_count()).max(1);
        Ok(self.take(worker, places).await.unwrap_or_else(|error| {
            // An error would end the worker; the next tick looks again.
            tracing::warn!(%error, "cannot take jobs");
            Vec::new()
        }))
    }

    /// [`Store::hand_back`] follows, for everything.
    async fn reenqueue_abandoned(&mut self, tasks: Vec<Task<Vec<u8>>>, _: &WorkerContext) -> Result<u64, InboxError> {
        Ok(tasks.len() as u64)
    }

    /// Does not give up: what is not settled runs again. If others were given the jobs meanwhile, it has no effect.
    async fn handle_events(&mut self, events: Vec<TaskEvent<Ended>>, worker: &WorkerContext) -> Result<(), InboxError> {
        let settled: Vec<_> = events
            .into_iter()
            .filter_map(|event| match event {
                TaskEvent::Complete(result) => self.settled(result),
                _ => None,
            })
            .collect();
        let mut pause = Duration::from_millis(250);
        while !settled.is_empty() {
            let (name, settling) = (worker.name().to_owned(), settled.clone());
            match self.talk(move |store| async move { store.settle(&name, settling).await }).await {
                Ok(()) => {
                    let mut held = self.held();
                    for settled in &settled {
                        held.jobs.remove(&settled.id.to_string());
                    }
                    break;
                }
                Err(error) => tracing::warn!(%error, "cannot settle jobs yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        Ok(())
    }

    async fn push_tasks(&mut self, _: Vec<Task<Vec<u8>>>) -> Result<(), InboxError> {
        Err(InboxError::Unverified)
    }
}
