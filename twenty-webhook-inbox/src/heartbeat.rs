use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::config::WorkerConfig;
use crate::lateness::{Lateness, Time};
use crate::leases::Leases;
use crate::{InboxError, Store};

/// Renews a worker's leases, and recovers the jobs of workers that are gone. It has its own thread and connection, so neither a handler
/// that blocks nor another call to the database can stop it. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    _stop: oneshot::Sender<()>,
}

impl Heartbeat {
    pub(crate) fn start<S: Store>(store: S, config: &WorkerConfig, leases: Leases) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = config.clone();
        let log = tracing::dispatcher::get_default(Clone::clone);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("inbox heartbeat".to_owned()).spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            runtime.block_on(async {
                tokio::select! {
                    () = run(&store, &config, &leases) => {}
                    _ = stopped => {}
                }
            });
            // Do not wait for a call that hangs.
            runtime.shutdown_background();
        })?;
        Ok(Self { _stop: stop })
    }
}

async fn run<S: Store>(store: &S, config: &WorkerConfig, leases: &Leases) {
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
        match timeout(every, renew_and_recover(&own, config, leases, lateness.allowance(now))).await {
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
) -> Result<(), InboxError> {
    let (held, blocked) = leases.to_renew(Instant::now());
    for job in blocked {
        tracing::error!(
            %job,
            "the handler blocks its thread beyond the time limit and cannot be cancelled: the job is released, and may run twice at once"
        );
    }
    let renewed = if held.is_empty() { Vec::new() } else { store.renew(&held, config.lease).await? };
    for (job, token) in held {
        if !renewed.contains(&job) {
            leases.lose(job, token);
        }
    }
    let Some(allowance) = allowance else { return Ok(()) };
    let recovered = store.recover(allowance, config.max_crashes).await?;
    if recovered > 0 {
        tracing::warn!(jobs = recovered, "recovered the jobs of a process that is gone");
    }
    Ok(())
}
