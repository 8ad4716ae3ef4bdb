use std::pin::pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use twenty_webhook_inbox::CatchUpStore;

use crate::api::Api;
use crate::backfill::Backfill;
use crate::dry_run::DryRun;
use crate::session::Session;
use crate::{CatchUp, CatchUpError, Report};

/// How often the store is asked whether deliveries were lost.
const POLL_INTERVAL: Duration = Duration::from_secs(15);
/// The window of Twenty's rate limit, and the minimum time between early runs.
const MINUTE: Duration = Duration::from_mins(1);
/// The wait after a 402.
const PAYMENT_REQUIRED_WAIT: Duration = Duration::from_hours(1);
/// The longest wait after a 429, whatever its `Retry-After`.
const MAX_RATE_LIMIT_WAIT: Duration = Duration::from_hours(1);

/// The scope and token of the lease to release.
type HeldLease = Mutex<Option<(String, i64)>>;

impl CatchUp {
    /// Runs once: reads all changes, and finds destroyed records if that is [due](Self::destroyed_every).
    ///
    /// ```no_run
    /// use twenty_webhook_catchup::CatchUp;
    /// use twenty_webhook_inbox::Inbox;
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let inbox = Inbox::sqlite("inbox.db").await?;
    /// let catch_up = CatchUp::new("https://crm.example.com", "your-api-key")?.all_objects();
    /// let report = catch_up.run_once(&inbox).await?;
    /// println!("{} events, without errors: {}", report.events(), report.is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the whole run failed. [`CatchUpError::Busy`] if another run has the lease of the same scope in this store. An error of one object is
    /// in its [report](crate::ObjectReport::error), and the run continues with the others.
    pub async fn run_once(&self, store: &impl CatchUpStore) -> Result<Report, CatchUpError> {
        let (api, held, backfill) = (Api::new(self), HeldLease::default(), Backfill::new(self.backfill));
        let run = self.run(&api, store, &held, &backfill, None).await;
        release(store, &held).await;
        run.map(|(report, _)| report)
    }

    /// Like [`run_once`](Self::run_once), but stops when `shutdown` completes, and then returns `None`. What was read before is saved, and the
    /// next run continues there.
    ///
    /// # Errors
    /// Those of [`run_once`](Self::run_once).
    pub async fn run_once_until(
        &self,
        store: &impl CatchUpStore,
        shutdown: impl Future,
    ) -> Result<Option<Report>, CatchUpError> {
        let (api, held, backfill) = (Api::new(self), HeldLease::default(), Backfill::new(self.backfill));
        let ended = tokio::select! {
            biased;
            _ = shutdown => None,
            ended = self.run(&api, store, &held, &backfill, None) => Some(ended),
        };
        release(store, &held).await;
        Ok(ended.transpose()?.map(|(report, _)| report))
    }

    /// Runs at once, and then at [intervals](Self::every), until `shutdown` completes. An error is logged, and the next run continues where
    /// the failed one stopped. After a 402 it waits for at least an hour. Any number of processes may call this on one store: one of them
    /// runs at a time.
    ///
    /// Run it in the receiver's process. A start then finds what Twenty sent while the process was down.
    pub async fn run_until(self, store: &impl CatchUpStore, shutdown: impl Future) {
        let (api, held) = (Api::new(&self), HeldLease::default());
        let run = async {
            let backfill = Backfill::new(self.backfill);
            loop {
                let (started, losses) = (Instant::now(), store.losses().await.ok());
                let ended = self.run(&api, store, &held, &backfill, Some(started + self.every)).await;
                release(store, &held).await;
                let scope = held_scope(&held);
                let next = self.next_run(&ended, started);
                let may_start_early =
                    !matches!(ended, Err(CatchUpError::PaymentRequired | CatchUpError::RateLimited(_)));
                self.wait(store, &scope, started, next, losses, may_start_early).await;
            }
        };
        let mut run = pin!(run);
        tokio::select! {
            biased;
            _ = shutdown => {}
            () = &mut run => {}
        }
        release(store, &held).await;
    }

    /// When the run after this one is due. It has just ended.
    fn next_run(&self, ended: &Result<(Report, bool), CatchUpError>, started: Instant) -> Instant {
        let error = match ended {
            Ok((_, true)) => return started,
            Ok((_, false)) => return started + self.every,
            Err(CatchUpError::Busy) => {
                tracing::debug!("another process runs catch-up");
                return started + self.every.min(self.lease / 2);
            }
            Err(error) => error,
        };
        tracing::error!(%error, "catch-up failed; the next run continues where it stopped");
        match error {
            CatchUpError::PaymentRequired => Instant::now() + self.every.max(PAYMENT_REQUIRED_WAIT),
            CatchUpError::RateLimited(wait) => {
                Instant::now() + self.every.min(MINUTE).max((*wait).min(MAX_RATE_LIMIT_WAIT))
            }
            CatchUpError::Unauthorized | CatchUpError::AmbiguousWorkspace { .. } => started + self.every,
            _ => Instant::now() + self.every.min(MINUTE),
        }
    }

    /// Waits until the next run is due, or deliveries may have been lost.
    async fn wait(
        &self,
        store: &impl CatchUpStore,
        scope: &str,
        started: Instant,
        next: Instant,
        losses: Option<u64>,
        may_start_early: bool,
    ) {
        loop {
            let now = Instant::now();
            if now >= next {
                return;
            }
            sleep_until(next.min(now + POLL_INTERVAL)).await;
            let Some(limit) =
                self.early_run_at.filter(|_| may_start_early && started.elapsed() >= MINUTE.min(self.every))
            else {
                continue;
            };
            match store.losses().await {
                Ok(now) if Some(now) == losses => {}
                Ok(_) => {
                    tracing::warn!("a receiver was down, or could not store a delivery: catching up now");
                    return;
                }
                Err(error) => tracing::warn!(%error, "cannot read whether deliveries were lost"),
            }
            // Covers any minute since the last poll.
            match store.deliveries_within(scope, MINUTE + POLL_INTERVAL).await {
                Ok(deliveries) if deliveries >= limit => {
                    tracing::warn!(
                        deliveries,
                        "deliveries arrived at Twenty's rate limit, so it may have dropped others: catching up now"
                    );
                    return;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot count deliveries"),
            }
        }
    }

    async fn run(
        &self,
        api: &Api,
        store: &impl CatchUpStore,
        held: &HeldLease,
        backfill: &Backfill,
        pass_deadline: Option<Instant>,
    ) -> Result<(Report, bool), CatchUpError> {
        if self.dry_run {
            // It takes no lease, so there is none to release. Its pass must not pause: nothing is saved that could continue.
            return self.run_on(api, &DryRun::on(store.clone()), &HeldLease::default(), backfill, None).await;
        }
        self.run_on(api, store, held, backfill, pass_deadline).await
    }

    async fn run_on(
        &self,
        api: &Api,
        store: &impl CatchUpStore,
        held: &HeldLease,
        backfill: &Backfill,
        pass_deadline: Option<Instant>,
    ) -> Result<(Report, bool), CatchUpError> {
        let scope = self.scope_in(store).await?;
        let token =
            i64::from_be_bytes(getrandom::u64().map_err(twenty_webhook_inbox::InboxError::database)?.to_be_bytes());
        *held.lock().unwrap_or_else(PoisonError::into_inner) = Some((scope.key().to_owned(), token));
        if !store.lease(scope.key(), token, self.lease).await? {
            return Err(CatchUpError::Busy);
        }
        store.adopt(&scope).await?;
        let session = Session { config: self, api, store, scope: scope.clone(), token, backfill, pass_deadline };
        let lease_lost = async {
            loop {
                sleep(self.lease / 3).await;
                // After an error the run continues: each commit checks the lease too.
                if matches!(store.lease(scope.key(), token, self.lease).await, Ok(false)) {
                    return;
                }
            }
        };
        tokio::select! {
            // On the heap: it is large, and so would be each future that awaits a run.
            ended = Box::pin(session.run()) => ended,
            () = lease_lost => Err(CatchUpError::Busy),
        }
    }
}

async fn release(store: &impl CatchUpStore, held: &HeldLease) {
    let lease = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((scope, token)) = lease
        && let Err(error) = store.lease(&scope, token, Duration::ZERO).await
    {
        tracing::warn!(%error, "cannot release the lease; it will expire");
    }
}

fn held_scope(held: &HeldLease) -> String {
    held.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(scope, _)| scope.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use twenty_webhook_inbox::{CatchUpCommit, IdCounts, InboxError, KnownRecord, MissingRecord};

    use super::*;

    /// A store that reports these numbers.
    #[derive(Clone, Default)]
    struct Deliveries {
        arrived: Arc<AtomicU64>,
        losses: Arc<AtomicU64>,
    }

    impl CatchUpStore for Deliveries {
        async fn progress(&self, _: &str, _: &str) -> Result<Option<String>, InboxError> {
            Ok(None)
        }

        async fn known(&self, _: &str, _: &str, ids: &[String]) -> Result<Vec<KnownRecord>, InboxError> {
            Ok(vec![KnownRecord::default(); ids.len()])
        }

        async fn commit(&self, _: CatchUpCommit) -> Result<u64, InboxError> {
            Ok(0)
        }

        async fn count_ids(&self, _: &str, _: &str, _: i64, _: &str) -> Result<IdCounts, InboxError> {
            Ok(IdCounts::default())
        }

        async fn missing(
            &self,
            _: &str,
            _: &str,
            _: i64,
            _: Option<&str>,
            _: &str,
            _: u32,
        ) -> Result<Vec<MissingRecord>, InboxError> {
            Ok(Vec::new())
        }

        async fn deliveries_within(&self, _: &str, _: Duration) -> Result<u64, InboxError> {
            Ok(self.arrived.load(Ordering::Relaxed))
        }

        async fn losses(&self) -> Result<u64, InboxError> {
            Ok(self.losses.load(Ordering::Relaxed))
        }
    }

    /// How many seconds after the last run the next one begins.
    async fn waited(catch_up: &CatchUp, store: &Deliveries, may_start_early: bool) -> u64 {
        let started = Instant::now();
        catch_up.wait(store, "", started, started + catch_up.every, Some(0), may_start_early).await;
        started.elapsed().as_secs()
    }

    /// Also after a run that took longer than the wait.
    #[tokio::test(start_paused = true)]
    async fn after_a_402_there_is_no_request_for_an_hour() {
        let catch_up = CatchUp::new("https://crm.example.com", "key").unwrap();
        let started = Instant::now();
        tokio::time::advance(Duration::from_hours(2)).await;
        let next = catch_up.next_run(&Err(CatchUpError::PaymentRequired), started);
        assert_eq!(next - Instant::now(), Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_run_begins_at_once_when_deliveries_may_be_lost() {
        let catch_up = CatchUp::new("https://crm.example.com", "key").unwrap();
        let store = Deliveries::default();
        store.arrived.store(54, Ordering::Relaxed);
        assert_eq!(waited(&catch_up, &store, true).await, 15 * 60);
        store.arrived.store(55, Ordering::Relaxed);
        assert_eq!(waited(&catch_up, &store, true).await, 60, "not more often than once a minute");
        assert_eq!(waited(&catch_up, &store, false).await, 15 * 60, "not when the allowance is spent");
        assert_eq!(waited(&catch_up.clone().without_early_runs(), &store, true).await, 15 * 60);
        assert_eq!(waited(&catch_up.clone().early_run_at(56), &store, true).await, 15 * 60);
        store.arrived.store(0, Ordering::Relaxed);
        store.losses.store(1, Ordering::Relaxed);
        assert_eq!(waited(&catch_up, &store, true).await, 60);
        assert_eq!(waited(&catch_up, &store, false).await, 15 * 60);
    }
}
