use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{RwLock, oneshot, watch};
use tokio::task::{AbortHandle, JoinError};
use tokio::time::{sleep, timeout};
use tracing::{Instrument, Span, info_span};
use twenty_webhook_core::{WebhookEvent, escaped};

use crate::config::WorkerConfig;
use crate::handler::{ErasedHandler, Handled};
use crate::handler_error::{HandlerError, Kind};
use crate::lateness::Time;
use crate::leases::Leases;
use crate::text::{printable, with_sources};
use crate::{ClaimedJob, Job, JobId, Outcome, coalesce};

type BoxError = Box<dyn Error + Send + Sync>;

/// How long a cancelled handler may take to reach its next await.
pub(crate) const CANCEL: Duration = Duration::from_secs(10);

/// One call of the handler, under a lease.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub(crate) handler: ErasedHandler,
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) worker: Arc<str>,
    pub(crate) leases: Leases,
    pub(crate) alone: Arc<RwLock<()>>,
    /// Becomes true when the grace of a stopping worker is over.
    pub(crate) cut_off: watch::Receiver<bool>,
}

/// What to do with a job, and with the jobs merged into it.
#[derive(Debug)]
pub(crate) enum Ended {
    Complete(Outcome),
    /// The job was completed in one commit with what the handler wrote.
    Completed,
    /// The lease was lost: another worker may have the job.
    Lost,
    /// The worker stops, and the handler has not ended: the lease runs out, so that the job is not handled twice at once before.
    StillRunning,
}

#[cfg(feature = "metrics")]
impl Ended {
    fn label(&self) -> &'static str {
        match self {
            Self::Complete(Outcome::Done) | Self::Completed => "done",
            Self::Complete(Outcome::Retry(..)) => "retry",
            Self::Complete(Outcome::Dead(_)) => "dead",
            Self::Complete(Outcome::Released) => "released",
            Self::Lost | Self::StillRunning => "lost",
        }
    }
}

impl Attempts {
    pub(crate) async fn run(self, claimed: ClaimedJob, token: i64) -> (Vec<JobId>, Ended) {
        let ids: Vec<_> = claimed.merged.iter().map(|job| job.id).chain([claimed.id]).collect();
        let attempt = claimed.merged.iter().map(|job| job.attempts).fold(claimed.attempts, u32::max).saturating_add(1);
        // Also a panic outside the handler's task, such as in a subscriber of the log, must not keep the job under its lease for ever.
        let ended = AssertUnwindSafe(self.attempt(claimed, attempt, token, &ids)).catch_unwind().await;
        let failed = |panic: Box<dyn Any + Send>| {
            let failed = self.failed(attempt, None, &panicked(&*panic));
            self.unless_lost(failed, &ids, token)
        };
        let ended = ended.unwrap_or_else(failed);
        (ids, ended)
    }

    /// If the lease was lost, another worker completes the job.
    fn unless_lost(&self, ended: Ended, ids: &[JobId], token: i64) -> Ended {
        if self.leases.end(ids, token) { ended } else { Ended::Lost }
    }

    async fn attempt(&self, claimed: ClaimedJob, attempt: u32, token: i64, ids: &[JobId]) -> Ended {
        let crashes = claimed.crashes;
        let (event, job) = match open(claimed, attempt) {
            Ok(opened) => opened,
            // Only if something else changed the database.
            Err(error) => return self.unless_lost(Ended::Complete(Outcome::Dead(error)), ids, token),
        };
        let span = info_span!(
            "inbox job", worker = %self.worker, job = %job.id, delivery_id = %event.delivery_id(),
            name = %escaped(event.name().as_str()), record_id = event.record_id().map(escaped).map(display), attempt
        );
        let stale = job.stale && self.config.skip_stale;
        let ended = if stale {
            Ended::Complete(Outcome::Done)
        } else if crashes > 1 {
            let _alone = self.alone.write().await;
            self.handle(event, job, token, ids, &span).await
        } else {
            let _with_others = self.alone.read().await;
            self.handle(event, job, token, ids, &span).await
        };
        let ended = if matches!(ended, Ended::Completed) { ended } else { self.unless_lost(ended, ids, token) };
        let _entered = span.enter();
        #[cfg(feature = "metrics")]
        crate::metrics::attempt(ended.label());
        match &ended {
            Ended::Complete(Outcome::Done) if stale => tracing::debug!("skipped: a newer state was handled before"),
            Ended::Complete(Outcome::Done) | Ended::Completed => tracing::debug!("handled"),
            Ended::Complete(Outcome::Released) => tracing::info!("not finished: released"),
            Ended::Complete(Outcome::Dead(error)) => {
                tracing::error!(error = %escaped(error), "failed for good: a dead letter");
            }
            Ended::Complete(Outcome::Retry(wait, error)) => {
                tracing::warn!(error = %escaped(error), ?wait, "failed: it will be tried again");
            }
            Ended::Lost => tracing::warn!("the lease was lost: another worker may handle it"),
            Ended::StillRunning => {
                tracing::error!("the handler blocks its thread, and cannot be cancelled: its lease runs out");
            }
        }
        ended
    }

    /// Calls the handler in a separate task, so that a handler that panics or never yields does not stop the worker. Also the call itself,
    /// which may panic before there is a future; and only once the lease is known to be held.
    async fn handle(&self, event: WebhookEvent, job: Job, token: i64, ids: &[JobId], span: &Span) -> Ended {
        let (limit, attempt) = (self.config.timeout, job.attempt);
        let (start, permission) = oneshot::channel::<()>();
        let handler = Arc::clone(&self.handler);
        let handling = async move {
            permission.await.map_err(|_| LeaseLost)?;
            handler(event, job, token).await
        };
        let mut handling = tokio::spawn(handling.instrument(span.clone()));
        let _cancelled_with_this = AbortOnDrop(handling.abort_handle());
        if !self.leases.begin(ids, token, &handling.abort_handle(), Time::now(), limit + CANCEL) {
            return Ended::Complete(Outcome::Released);
        }
        let _ = start.send(());
        let mut cut_off = self.cut_off.clone();
        let stopped = tokio::select! {
            // A handler that has finished counts as finished, even if the time limit has passed too.
            biased;
            ended = &mut handling => return self.ended(ended, attempt, None),
            () = sleep(limit) => Stopped::Late(limit),
            Ok(_) = cut_off.wait_for(|cut_off| *cut_off) => Stopped::CutOff,
        };
        handling.abort();
        let cancel = if matches!(stopped, Stopped::CutOff) { Duration::from_secs(1) } else { CANCEL };
        // Wait until it has ended: the job must not run twice at once.
        if let Ok(ended) = timeout(cancel, &mut handling).await {
            return self.ended(ended, attempt, Some(stopped));
        }
        if let Stopped::CutOff = stopped {
            return Ended::StillRunning;
        }
        tracing::error!(parent: span, "the handler blocks its thread, and cannot be cancelled: it may run twice at once");
        self.stopped(&stopped, attempt)
    }

    fn ended(
        &self,
        ended: Result<Result<Handled, BoxError>, JoinError>,
        attempt: u32,
        stopped: Option<Stopped>,
    ) -> Ended {
        match ended {
            Ok(Ok(Handled::Incomplete)) => Ended::Complete(Outcome::Done),
            Ok(Ok(Handled::Completed)) => Ended::Completed,
            Ok(Err(error)) if error.is::<LeaseLost>() => Ended::Lost,
            Ok(Err(error)) => {
                let kind = HandlerError::find(&*error).map(|error| error.kind);
                self.failed(attempt, kind, &with_sources(&*error))
            }
            Err(error) => match (error.try_into_panic(), stopped) {
                (Ok(panic), _) => self.failed(attempt, None, &panicked(&*panic)),
                (Err(_), Some(stopped)) => self.stopped(&stopped, attempt),
                // The heartbeat cancelled it, because the lease was lost, or may have run out. If no other worker has the job, it is released.
                (Err(_), None) => Ended::Complete(Outcome::Released),
            },
        }
    }

    fn stopped(&self, stopped: &Stopped, attempt: u32) -> Ended {
        match stopped {
            Stopped::Late(limit) => self.failed(attempt, None, &format!("not finished within {limit:?}")),
            Stopped::CutOff => Ended::Complete(Outcome::Released),
        }
    }

    fn failed(&self, attempt: u32, kind: Option<Kind>, error: &str) -> Ended {
        let error = printable(error);
        Ended::Complete(match kind {
            Some(Kind::Permanent) => Outcome::Dead(error),
            _ if attempt >= self.config.attempts => Outcome::Dead(error),
            Some(Kind::RetryAfter(wait)) => Outcome::Retry(wait, error),
            None => Outcome::Retry(self.config.backoff.after(attempt), error),
        })
    }
}

enum Stopped {
    Late(Duration),
    CutOff,
}

fn open(claimed: ClaimedJob, attempt: u32) -> Result<(WebhookEvent, Job), String> {
    let job = Job {
        id: claimed.id,
        key: claimed.key,
        tenant: claimed.tenant,
        attempt,
        stored_at: claimed.stored_at,
        stale: claimed.stale,
        merged: claimed.merged.iter().map(|job| job.id).collect(),
    };
    let body = if claimed.merged.is_empty() {
        claimed.body
    } else {
        coalesce::merge(claimed.merged.iter().map(|job| &job.body), &claimed.body)
    };
    let event = WebhookEvent::from_stored(body).map_err(|error| format!("what is stored is not an event: {error}"))?;
    Ok((event, job))
}

/// What a handler in a transaction returns when its lease was lost before the commit.
#[derive(Debug, thiserror::Error)]
#[error("the lease was lost")]
pub(crate) struct LeaseLost;

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("the handler panicked: {}", panic_message(panic))
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref().cloned());
    message.unwrap_or_default()
}
