use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis_core::error::WorkerError;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use twenty_webhook_core::WebhookEvent;

use crate::handler::{Attempts, Handler};
use crate::source::{Persist, Source};
use crate::{Backoff, Inbox, Store, heart, house};

/// Handles what is stored. Made by [`Inbox::worker`].
///
/// | a handler | then |
/// |---|---|
/// | returns `Ok` | the job is done |
/// | returns an error, panics, or takes longer than the [timeout](Self::timeout) | it is tried again after the [back-off](Self::backoff) |
/// | … for the last of its [attempts](Self::attempts) | it is a dead letter, with the error, until you [retry](Inbox::retry) or [drop](Inbox::drop_jobs) it |
/// | is under way when its process is killed | another worker, or the next process, takes the job [soon](Self::recover_after) |
/// | is under way when the worker stops | it may finish for the [grace](Self::grace); then the job is handed back, untried |
///
/// None of it disturbs other jobs: one that waits for its next attempt holds no place. A handler that blocks its thread (no `.await`)
/// holds a thread of the runtime; the worker goes on where there are others.
#[must_use = "a worker does nothing until it is run"]
pub struct Worker<S> {
    inbox: Inbox<S>,
    name: String,
    handler: Handler,
    terms: Terms,
}

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) concurrency: usize,
    pub(crate) attempts: usize,
    pub(crate) timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) grace: Duration,
    /// After how long without a sign of life a worker is taken for dead.
    pub(crate) silence: Duration,
    pub(crate) poll: Duration,
}

impl Terms {
    pub(crate) fn heartbeat(&self) -> Duration {
        self.silence / 3
    }
}

impl<S: Store> Worker<S> {
    pub(crate) fn new<H, F, E>(inbox: Inbox<S>, name: String, handler: H) -> Self
    where
        H: Fn(WebhookEvent) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        let handler = Arc::new(move |event| handler(event).map(|handled| handled.map_err(Into::into)).boxed());
        let terms = Terms {
            concurrency: 8,
            attempts: 20,
            timeout: Duration::from_mins(1),
            backoff: Backoff::default(),
            grace: Duration::from_secs(20),
            silence: Duration::from_secs(15),
            poll: Duration::from_millis(500),
        };
        Self { inbox, name, handler, terms }
    }

    /// Sets how many jobs are handled at a time. The default is 8.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.terms.concurrency = jobs.max(1);
        self
    }

    /// Sets how often a job is tried before it is a dead letter. The default is 20: with the default [`Backoff`], an outage of an hour
    /// is survived.
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.terms.attempts = attempts.max(1);
        self
    }

    /// Sets how long a job waits between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.terms.backoff = backoff;
        self
    }

    /// Sets how long an attempt may take. The default is a minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = timeout;
        self
    }

    /// Sets how long jobs under way may take to finish once the worker is to stop. The default is 20 seconds, because Kubernetes kills
    /// after 30 and docker can be told to; plain `docker stop` kills after 10.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.terms.grace = grace;
        self
    }

    /// Sets after how long without a sign of life the jobs of a worker are given to others. The default is 15 seconds, what is less than
    /// 3 is taken for 3. All workers on one inbox should agree on it.
    pub fn recover_after(mut self, silence: Duration) -> Self {
        self.terms.silence = silence.max(Duration::from_secs(3));
        self
    }

    /// Sets how often to look for jobs that another process has stored, and for those whose wait is over. The default is half a second.
    /// What this process stores is taken at once.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.terms.poll = interval.max(Duration::from_millis(10));
        self
    }

    /// Handles jobs until `shutdown` completes, whatever it completes with. Returns when nothing is under way any more.
    ///
    /// A database that fails does not end it: it says so in the log and tries again.
    pub async fn run_until(self, shutdown: impl Future) {
        let mut shutdown = pin!(shutdown.fuse());
        let mut pause = Duration::from_millis(250);
        loop {
            let began = tokio::time::Instant::now();
            let Err(error) = self.run(shutdown.as_mut()).await else { return };
            tracing::error!(%error, worker = self.name, "the worker broke off, and starts again");
            if began.elapsed() > Duration::from_mins(1) {
                pause = Duration::from_millis(250);
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(Duration::from_secs(10)),
                _ = shutdown.as_mut() => return,
            }
        }
    }

    /// Runs one worker of apalis, under a name that none had before: apalis tells workers by it, and takes over from its namesake.
    async fn run(&self, shutdown: impl Future) -> Result<(), Box<dyn Error + Send + Sync>> {
        let name = format!("{}-{:016x}", self.name, getrandom::u64()?);
        let context = WorkerContext::new(&name);
        let terms = Arc::new(self.terms.clone());
        let persist = Persist::new(self.inbox.store.clone(), Arc::clone(&terms));
        let source = Source::new(persist.clone(), Arc::clone(&self.inbox.wake));
        let (cut_off, when_cut_off) = watch::channel(false);
        let attempts =
            Attempts { handler: Arc::clone(&self.handler), terms, worker: name.as_str().into(), cut_off: when_cut_off };
        let worker = WorkerBuilder::new(&context).backend(source).concurrency(self.terms.concurrency).build(attempts);
        // In a task of its own: its jobs go on while we talk to the database, and if it panics this does not.
        let mut engine = JoinSet::new();
        engine.spawn(worker.run());

        let mut living = pin!(async {
            tokio::select! {
                () = heart::beat(&persist, &context, &self.terms) => {}
                () = house::keep(&persist, self.inbox.retention, &self.terms) => {}
            }
        });
        let mut ended = tokio::select! {
            ended = engine.join_next() => Some(flat(ended)),
            () = &mut living => Some(Err("the database does not know this worker any more".into())),
            _ = shutdown => None,
        };
        if ended.is_none() {
            // A worker that has not begun cannot be told to stop, and holds nothing.
            if context.stop().is_err() {
                engine.abort_all();
            }
            let given_time = async {
                sleep(self.terms.grace).await;
                let _ = cut_off.send(true);
                sleep(Duration::from_secs(5)).await;
            };
            tokio::select! {
                _ = engine.join_next() => {}
                () = given_time => {}
                () = &mut living => {}
            }
            ended = Some(Ok(()));
        }
        engine.shutdown().await;
        match persist.talk(move |store| async move { store.hand_back(&name, &[]).await }).await {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "handed back"),
            Err(error) => {
                tracing::warn!(%error, "cannot hand back jobs: another worker takes them when this one is missed");
            }
        }
        ended.unwrap_or(Ok(()))
    }
}

fn flat(
    ended: Option<Result<Result<(), WorkerError>, tokio::task::JoinError>>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    match ended {
        Some(Ok(Ok(()))) | None => Err("it stopped by itself".into()),
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(error)) => Err(error.into()),
    }
}

impl<S: fmt::Debug> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("terms", &self.terms).finish_non_exhaustive()
    }
}
