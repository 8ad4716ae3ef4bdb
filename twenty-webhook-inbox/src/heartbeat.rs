use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::answer::answer;
use crate::config::WorkerConfig;
use crate::lateness::{Lateness, Time};
use crate::leases::Leases;
use crate::rethrow::rethrow;
use crate::{InboxError, JobId, Recovered, Store};

/// Renews a worker's leases, cancels the handlers of those that it cannot renew, and recovers the jobs of workers that are gone. It has its
/// own thread and connection, so neither a handler that blocks nor another call to the database can stop it. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    _stop: oneshot::Sender<()>,
}

impl Heartbeat {
    /// Sends the jobs that it recovers as dead letters to `dead`.
    pub(crate) fn start<S: Store>(
        store: S,
        config: &WorkerConfig,
        leases: Leases,
        dead: mpsc::UnboundedSender<(JobId, String)>,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = config.clone();
        let log = tracing::dispatcher::get_default(Clone::clone);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("inbox heartbeat".to_owned()).spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            runtime.block_on(async {
                tokio::select! {
                    () = run(&store, &config, &leases, &dead) => {}
                    () = cancel_expired(&config, &leases) => {}
                    _ = stopped => {}
                }
            });
            // Do not wait for a call that hangs.
            runtime.shutdown_background();
        })?;
        Ok(Self { _stop: stop })
    }
}

/// A worker that is cut off from its database cannot know whether it still has its jobs. Others take a job once its lease has run out.
async fn cancel_expired(config: &WorkerConfig, leases: &Leases) {
    // The time until the next one is not enough: the machine may be suspended, or its clock set.
    let longest = config.lease / 15;
    loop {
        let (cancelled, next) = leases.cancel_expired(Time::now());
        for job in cancelled {
            tracing::error!(%job, "the lease could not be renewed in time: the handler is cancelled");
        }
        sleep(next.unwrap_or(longest).min(longest)).await;
    }
}

async fn run<S: Store>(
    store: &S,
    config: &WorkerConfig,
    leases: &Leases,
    dead: &mpsc::UnboundedSender<(JobId, String)>,
) {
    let every = config.heartbeat();
    let mut lateness = Lateness::new(every, Time::now());
    let mut connection = None;
    let mut next = Instant::now() + every;
    loop {
        tokio::time::sleep_until(next).await;
        let now = Time::now();
        next = now.steady + every;
        let own = match connection.take() {
            Some(own) => own,
            None => match timeout(every, store.reconnect()).await.unwrap_or(Err(InboxError::Deadline(every))) {
                Ok(own) => own,
                Err(error) => {
                    tracing::warn!(%error, "the heartbeat has no connection");
                    continue;
                }
            },
        };
        match timeout(every, renew_and_recover(&own, config, leases, lateness.allowance(now), dead)).await {
            Ok(Ok(())) => {
                lateness.record(now);
                connection = Some(own);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a heartbeat failed");
                connection = Some(own);
                next = next.min(Instant::now() + Duration::from_secs(1));
                sleep(Duration::from_millis(100)).await;
            }
            // Try another connection.
            Err(_) => tracing::warn!("a heartbeat took longer than {every:?}"),
        }
    }
}

async fn renew_and_recover<S: Store>(
    store: &S,
    config: &WorkerConfig,
    leases: &Leases,
    allowance: Option<Duration>,
    dead: &mpsc::UnboundedSender<(JobId, String)>,
) -> Result<(), InboxError> {
    let now = Time::now();
    let (held, blocked) = leases.to_renew(now.steady);
    for job in blocked {
        tracing::error!(
            %job,
            "the handler blocks its thread beyond the time limit and cannot be cancelled: the job is released, and may run twice at once"
        );
    }
    let renewed = if held.is_empty() { Vec::new() } else { store.renew(&held, config.lease).await? };
    leases.renewed(&renewed, now);
    for (job, token) in held {
        if !renewed.contains(&job) {
            leases.lose(job, token);
        }
    }
    let Some(allowance) = allowance else { return Ok(()) };
    // In a task: what it has committed is reported, even if the time of this heartbeat is over by then.
    let recovering = tokio::spawn(recover(store.clone(), allowance, now, config.max_crashes, dead.clone()));
    match recovering.await {
        Ok(recovered) => recovered,
        Err(error) => {
            rethrow(error);
            Ok(())
        }
    }
}

/// Recovers jobs whose lease had run out before this heartbeat began: the process may have been stalled since then, and what it renewed, or
/// has claimed meanwhile, lasted at least until then.
async fn recover<S: Store>(
    store: S,
    allowance: Duration,
    heartbeat_began: Time,
    max_crashes: u32,
    dead: mpsc::UnboundedSender<(JobId, String)>,
) -> Result<(), InboxError> {
    let late = allowance.saturating_add(Time::now().since(heartbeat_began));
    let Recovered { jobs, dead: crashed } = answer(store.recover(late, max_crashes)).await?;
    if jobs > 0 {
        tracing::warn!(jobs, "recovered the jobs of a process that is gone");
    }
    for job in crashed {
        // Its other end is there as long as the worker.
        let _ = dead.send(job);
    }
    Ok(())
}
