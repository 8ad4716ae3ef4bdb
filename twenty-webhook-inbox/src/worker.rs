use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::attempt::Attempts;
use crate::completer::{Completer, OnDead, report_crashed};
use crate::config::WorkerConfig;
use crate::fetcher::Fetcher;
use crate::handler::{ErasedHandler, erase};
use crate::heartbeat::Heartbeat;
use crate::leases::Leases;
use crate::longest::LONGEST;
use crate::rethrow::rethrow;
use crate::slots::Slots;
use crate::{Backoff, Handler, Inbox, JobId, Store, maintenance};

impl<S: Store> Inbox<S> {
    /// A worker that calls `handler` for each stored event, until it returns `Ok`. See [`Worker`] for what happens when it does not, and
    /// [`Handler`] for what a handler may be.
    ///
    /// `name` is for logs. Any number of workers, in any number of processes, share the work, also under different names.
    pub fn worker<A>(&self, name: impl Into<String>, handler: impl Handler<A>) -> Worker<S> {
        Worker::new(self.clone(), name.into(), erase(handler))
    }
}

/// Handles stored events. [`Inbox::worker`] makes one.
///
/// | a handler | then |
/// |---|---|
/// | returns `Ok` | the job is done |
/// | returns an error, panics, or takes longer than the [timeout](Self::timeout) | it is tried again after the [back-off](Self::backoff) |
/// | … for the last of its [attempts](Self::attempts) | it is a dead letter, with the error, until you [retry](Inbox::retry) or [delete](Inbox::delete) it |
/// | returns [`HandlerError::permanent`](crate::HandlerError::permanent) | it is a dead letter now |
/// | returns [`HandlerError::retry_after`](crate::HandlerError::retry_after) | it is tried again then |
/// | is under way when its process is killed | another worker, or the next process, takes the job [soon](Self::recover_after) |
/// | is under way while its worker is [that long](Self::recover_after) cut off from the database | it is cancelled, because another worker may take the job; the attempt does not count |
/// | is under way when the worker stops | it may finish for the [grace](Self::grace); then the job is released, and the attempt does not count |
/// | blocks its thread (no `.await`) beyond the grace | it cannot be cancelled, and goes on as long as its process: the job is not released, and another worker takes it once its [lease](Self::recover_after) has run out, as after a crash |
/// | blocks its thread beyond its timeout | it cannot be cancelled: 10 seconds later the job is free, with an error in the log. In these two cases alone may two run at once |
///
/// # Order
///
/// By default jobs of one record run one at a time: of those that wait, the oldest `updatedAt` first, then the oldest `eventDate`, then the
/// first to arrive. A job that waits for a retry holds up the later ones of its record, and no others, until it succeeds or is dead. A
/// record is an object and an id, in a workspace or of a tenant; a batch is of each of its records. [`unordered`](Self::unordered) opts
/// out.
///
/// # Crashes
///
/// A job whose process ended while it was handled (killed, aborted, out of memory) comes back once its lease has run out. What crashed its
/// process twice is handled alone in its process, and after [`max_crashes`](Self::max_crashes) is a dead letter.
///
/// ```no_run
/// use std::time::Duration;
/// use twenty_webhook_inbox::{Inbox, WebhookEvent};
///
/// async fn sync(event: WebhookEvent) -> Result<(), std::io::Error> {
///     println!("{} {:?}", event.name(), event.record_id());
///     Ok(())
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let inbox = Inbox::sqlite("inbox.db").await?;
/// let worker = inbox.worker("crm-sync", sync).concurrency(4).timeout(Duration::from_secs(30));
/// worker.run_until(tokio::signal::ctrl_c()).await;
/// # Ok(()) }
/// ```
#[must_use = "a worker does nothing until it is run"]
pub struct Worker<S> {
    inbox: Inbox<S>,
    name: String,
    handler: ErasedHandler,
    config: WorkerConfig,
    on_dead: OnDead,
}

impl<S: Store> Worker<S> {
    pub(crate) fn new(inbox: Inbox<S>, name: String, handler: ErasedHandler) -> Self {
        Self { inbox, name, handler, config: WorkerConfig::default(), on_dead: OnDead::default() }
    }

    /// Sets how many jobs are handled at a time. The default is 8, the minimum is 1.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.config.concurrency = jobs.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        self
    }

    /// Sets how many attempts a job has before it is a dead letter. The default is 27: with the default [`Backoff`], about three days. The
    /// minimum is 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.config.attempts = attempts.max(1);
        self
    }

    /// Sets how many crashes make a job a dead letter. A crash is an end of its process, or a lost lease, while the job was handled. The
    /// default is 5, the minimum is 1.
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.config.max_crashes = crashes.max(1);
        self
    }

    /// Sets how long a job waits between attempts. The default is [`Backoff::default`]: 1 s, 2 s, 4 s and so on up to 6 hours.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Sets how long an attempt may take. The default is a minute.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout.min(LONGEST);
        self
    }

    /// Sets how long jobs under way may take to finish once the worker is to stop. Then it takes up to 9 seconds more to cancel them and to
    /// record what has ended. The default is 20 seconds, because Kubernetes kills after 30 by default. Plain `docker stop` kills after 10;
    /// set its `--timeout`.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace;
        self
    }

    /// Sets how long a lease is: after this long without a heartbeat a worker cancels its handlers, and its jobs are given to others. The
    /// default is 15 seconds, the minimum is 3. The heartbeat comes after each third of it. All workers on one inbox should agree on it.
    pub fn recover_after(mut self, lease: Duration) -> Self {
        self.config.lease = lease.clamp(Duration::from_secs(3), LONGEST);
        self
    }

    /// Sets how often to look for jobs that another process has stored, or that are due again. The default is half a second, the minimum is
    /// 10 milliseconds. A job that this process stores is claimed at once.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.config.poll = interval.max(Duration::from_millis(10));
        self
    }

    /// Opts out of order: every job runs when it is due, even at the same time as another of its record.
    pub fn unordered(mut self) -> Self {
        self.config.order = None;
        self
    }

    /// Lets the later jobs of a record run once an earlier one has been failing for this long. By default they wait until it succeeds or is
    /// dead. It needs order, so it undoes [`unordered`](Self::unordered).
    pub fn order_gives_up_after(mut self, failing: Duration) -> Self {
        self.config.order.get_or_insert_default().gives_up_after = Some(failing);
        self
    }

    /// Merges a burst of `updated` of one record into one call, once none has arrived for `quiet`. The call gets the newest state, and the
    /// fields that any of them changed. In Twenty's UI each edited field is one event. It needs order, so it undoes
    /// [`unordered`](Self::unordered).
    ///
    /// A call is at most ten times `quiet` late. It never merges events across one of another action, or while a batch with the record in it
    /// is open. [`Job::merged`](crate::Job::merged)
    /// lists the others; they end as the call does. The merged body is not what Twenty signed, so its
    /// [`delivery_id`](twenty_webhook_core::WebhookEvent::delivery_id) is new: use [`Job::key`](crate::Job::key).
    pub fn coalesce(mut self, quiet: Duration) -> Self {
        self.config.order.get_or_insert_default().coalesce = Some(quiet);
        self
    }

    /// Skips a job that arrived after a newer state of its record was handled. Only for handlers that mirror the newest state: to others, a
    /// late `created` may be the only one.
    pub fn skip_stale(mut self) -> Self {
        self.config.skip_stale = true;
        self
    }

    /// Calls `alert` for each dead letter, with the job and the error (at most 2,000 characters). It must not block. If it panics, that is
    /// logged. For a job that crashed its process too often, the worker that notices calls it.
    pub fn on_dead(mut self, alert: impl Fn(JobId, &str) + Send + Sync + 'static) -> Self {
        self.on_dead = OnDead::new(alert);
        self
    }

    /// Handles jobs until `shutdown` completes with any output. Returns when no job is under way.
    ///
    /// If the database fails, the worker logs it and tries again.
    ///
    /// # Panics
    /// If one of its own tasks panics, such as in a [`Store`] of yours. A handler that panics only fails its attempt.
    pub async fn run_until(self, shutdown: impl Future) {
        let (stop, stopped) = oneshot::channel::<()>();
        // In a separate task: jobs go on while the caller polls something else.
        let mut worker = JoinSet::new();
        worker.spawn(self.run(stopped.map(drop)));
        tokio::select! {
            ended = worker.join_next() => {
                if let Some(Err(error)) = ended { rethrow(error) }
                return;
            }
            _ = shutdown => drop(stop),
        }
        if let Some(Err(error)) = worker.join_next().await {
            rethrow(error);
        }
    }

    async fn run(self, stop: impl Future<Output = ()>) {
        let leases = Leases::new(self.config.lease);
        let (crashed, dead) = mpsc::unbounded_channel();
        let mut stop = std::pin::pin!(stop.fuse());
        let heartbeat = loop {
            match Heartbeat::start(self.inbox.store.clone(), &self.config, leases.clone(), crashed.clone()) {
                Ok(heartbeat) => break heartbeat,
                Err(error) => tracing::error!(%error, "a worker cannot start its heartbeat, and tries again"),
            }
            tokio::select! {
                () = &mut stop => return,
                () = sleep(Duration::from_secs(1)) => {}
            }
        };
        drop(crashed);
        let slots = Slots::new(self.config.concurrency);
        let (cut_off, when_cut_off) = watch::channel(false);
        let (endings, ended) = mpsc::unbounded_channel();
        let store = self.inbox.store.clone();
        let mut background = JoinSet::new();
        background.spawn(maintenance::run(self.inbox.clone(), self.config.heartbeat()));
        #[cfg(feature = "metrics")]
        background.spawn(crate::metrics::gauges(store.clone()));
        let mut reports = JoinSet::new();
        reports.spawn(report_crashed(self.on_dead.clone(), dead));
        let mut completer = JoinSet::new();
        let wake = Arc::clone(&self.inbox.wake);
        let run = Completer { store: store.clone(), leases: leases.clone(), on_dead: self.on_dead, wake }.run(ended);
        completer.spawn(run);
        let attempts = Attempts {
            handler: self.handler,
            config: Arc::new(self.config),
            worker: self.name.into(),
            leases,
            alone: Arc::clone(&self.inbox.alone),
            cut_off: when_cut_off,
        };
        let grace = attempts.config.grace;
        let mut fetcher = Fetcher {
            store,
            attempts,
            wake: Arc::clone(&self.inbox.wake),
            slots,
            endings,
            running: JoinSet::new(),
            lost: HashSet::new(),
            crashed: Arc::default(),
        };
        // Without one of the two, handlers would be called, and their jobs never completed, or given to others at the same time.
        let ended = tokio::select! {
            () = fetcher.run_until(stop) => None,
            ended = completer.join_next() => Some(("the task that completes jobs", ended)),
            ended = reports.join_next() => Some(("the heartbeat", ended)),
        };
        if let Some((what, ended)) = ended {
            tracing::error!("{what} has ended: the worker ends");
            if let Some(Err(error)) = ended {
                rethrow(error);
            }
            panic!("{what} has ended");
        }
        let Fetcher { store, lost, mut running, endings, .. } = fetcher;
        drop(endings);
        let all_ended = async { while running.join_next().await.is_some() {} };
        if timeout(grace, all_ended).await.is_err() {
            let _ = cut_off.send(true);
            let all_ended = async { while running.join_next().await.is_some() {} };
            let _ = timeout(Duration::from_secs(2), all_ended).await;
        }
        running.shutdown().await;
        let completions = async {
            completer.join_next().await;
            for token in lost {
                let _ = store.release_claim(token).await;
            }
        };
        if timeout(Duration::from_secs(5), completions).await.is_err() {
            tracing::warn!("cannot complete the last jobs: another worker takes them when their lease has run out");
        }
        drop(heartbeat);
        let all_reported = async { while reports.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_secs(1), all_reported).await;
    }
}

impl<S: fmt::Debug> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
