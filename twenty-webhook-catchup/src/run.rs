use std::pin::pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use twenty_webhook_inbox::{CatchUpScope, CatchUpStore};

use crate::api::Api;
use crate::dry_run::DryRun;
use crate::session::Session;
use crate::{CatchUp, CatchUpError, Report};

/// How often the store is asked whether deliveries were lost.
const LOOK: Duration = Duration::from_secs(15);
/// The window of Twenty's ceiling, and the least time between runs on suspicion.
const MINUTE: Duration = Duration::from_mins(1);
/// After 402.
const ALLOWANCE: Duration = Duration::from_hours(1);

/// The lease that is held, to give it back.
type Held = Mutex<Option<(String, i64)>>;

impl CatchUp {
    /// Runs once: looks for changes, and for what was destroyed if that is [due](Self::destroyed_every), to the end.
    ///
    /// # Errors
    /// What stopped the run as a whole. What is about one object is in its [report](crate::ObjectReport::error), and the others go on.
    /// [`CatchUpError::Busy`] if a run is under way on the same store.
    pub async fn run_once(&self, store: &impl CatchUpStore) -> Result<Report, CatchUpError> {
        let (api, held) = (Api::new(self), Held::default());
        let run = self.run(&api, store, &held, self.backfill, None).await;
        release(store, &held).await;
        run.map(|(report, _)| report)
    }

    /// Runs once, as [`run_once`](Self::run_once), or until `shutdown` completes, whatever it completes with. Returns `None` if it did: what was
    /// read so far is saved, and the next run goes on there at once.
    ///
    /// # Errors
    /// The same.
    pub async fn run_once_until(
        &self,
        store: &impl CatchUpStore,
        shutdown: impl Future,
    ) -> Result<Option<Report>, CatchUpError> {
        let (api, held) = (Api::new(self), Held::default());
        let ended = tokio::select! {
            biased;
            _ = shutdown => None,
            ended = self.run(&api, store, &held, self.backfill, None) => Some(ended),
        };
        release(store, &held).await;
        Ok(ended.transpose()?.map(|(report, _)| report))
    }

    /// Runs at once, and then at [intervals](Self::every), until `shutdown` completes, whatever it completes with. What goes wrong is in the
    /// log, and the next run goes on there. Any number of processes may do so on one store: one of them runs.
    ///
    /// Run it in the receiver's process: what was sent while that was down is then found when it is up.
    pub async fn run_until(self, store: &impl CatchUpStore, shutdown: impl Future) {
        let (api, held) = (Api::new(&self), Held::default());
        let run = async {
            let mut backfill = self.backfill;
            loop {
                let (started, losses) = (Instant::now(), store.losses().await.ok());
                let ended = self.run(&api, store, &held, backfill, Some(started + self.every)).await;
                release(store, &held).await;
                let scope = held_scope(&held);
                let next = match &ended {
                    Ok((_, goes_on)) => {
                        backfill = false;
                        if *goes_on { started } else { started + self.every }
                    }
                    Err(CatchUpError::Busy) => {
                        tracing::debug!("another process catches up");
                        started + self.every.min(self.lease / 2)
                    }
                    Err(error) => {
                        tracing::error!(%error, "catch-up was stopped, and goes on later");
                        match error {
                            CatchUpError::AllowanceSpent => started + self.every.max(ALLOWANCE),
                            CatchUpError::Unauthorized | CatchUpError::WhichWorkspace => started + self.every,
                            _ => Instant::now() + self.every.min(MINUTE),
                        }
                    }
                };
                let may_hurry = !matches!(ended, Err(CatchUpError::AllowanceSpent));
                self.wait(store, &scope, started, next, losses, may_hurry).await;
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

    /// Waits until the next run is due, or deliveries may have been lost.
    async fn wait(
        &self,
        store: &impl CatchUpStore,
        scope: &str,
        started: Instant,
        next: Instant,
        losses: Option<u64>,
        may_hurry: bool,
    ) {
        loop {
            let now = Instant::now();
            if now >= next {
                return;
            }
            sleep_until(next.min(now + LOOK)).await;
            let Some(ceiling) = self.ceiling.filter(|_| may_hurry && started.elapsed() >= MINUTE.min(self.every))
            else {
                continue;
            };
            match store.losses().await {
                Ok(now) if Some(now) == losses => {}
                Ok(_) => {
                    tracing::warn!("a receiver was down, or could not store a delivery: catching up now");
                    return;
                }
                Err(error) => tracing::warn!(%error, "cannot tell whether deliveries were lost"),
            }
            // All that arrived in one minute, whenever that was since the last look.
            match store.deliveries_within(scope, MINUTE + LOOK).await {
                Ok(deliveries) if deliveries >= ceiling => {
                    tracing::warn!(
                        deliveries,
                        "as many deliveries in a minute as Twenty lets through: catching up now"
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
        held: &Held,
        backfill: bool,
        until: Option<Instant>,
    ) -> Result<(Report, bool), CatchUpError> {
        if self.dry_run {
            // It takes no lease, so there is none to give back.
            return self.run_on(api, &DryRun::on(store.clone()), &Held::default(), backfill, until).await;
        }
        self.run_on(api, store, held, backfill, until).await
    }

    async fn run_on(
        &self,
        api: &Api,
        store: &impl CatchUpStore,
        held: &Held,
        backfill: bool,
        until: Option<Instant>,
    ) -> Result<(Report, bool), CatchUpError> {
        let scope = self.scope_in(store).await?;
        let token =
            i64::from_be_bytes(getrandom::u64().map_err(twenty_webhook_inbox::InboxError::database)?.to_be_bytes());
        *held.lock().unwrap_or_else(PoisonError::into_inner) = Some((scope.key().to_owned(), token));
        if !store.lease(scope.key(), token, self.lease).await? {
            return Err(CatchUpError::Busy);
        }
        store.adopt(&scope).await?;
        let session = Session { config: self, api, store, scope: scope.clone(), token, backfill, until };
        let lost = async {
            loop {
                sleep(self.lease / 3).await;
                // An error changes nothing: each commit checks the lease, too.
                if matches!(store.lease(scope.key(), token, self.lease).await, Ok(false)) {
                    return;
                }
            }
        };
        tokio::select! {
            ended = session.run() => ended,
            () = lost => Err(CatchUpError::Busy),
        }
    }

    /// The workspace that deliveries of this key's workspace are stored under: as it was set, else as the key says, else the one that the
    /// store knows.
    async fn scope_in(&self, store: &impl CatchUpStore) -> Result<CatchUpScope, CatchUpError> {
        let mut scope = self.scope.clone();
        if scope.workspace_id.is_none() {
            scope.workspace_id = self.api_key.workspace_id().map(str::to_owned);
        }
        if scope.tenant.is_some() || self.scope.workspace_id.is_some() {
            return Ok(scope);
        }
        match &store.scopes().await?[..] {
            [one] if scope.workspace_id.is_none() => Ok(one.clone()),
            // Where deliveries are a tenant's, the workspace is not what they are stored under.
            [one] if one.tenant.is_some() => Ok(CatchUpScope { tenant: one.tenant.clone(), ..scope }),
            several if several.iter().any(|scope| scope.tenant.is_some()) => Err(CatchUpError::WhichWorkspace),
            [_, _, ..] if scope.workspace_id.is_none() => Err(CatchUpError::WhichWorkspace),
            _ => Ok(scope),
        }
    }
}

async fn release(store: &impl CatchUpStore, held: &Held) {
    let lease = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((scope, token)) = lease
        && let Err(error) = store.lease(&scope, token, Duration::ZERO).await
    {
        tracing::warn!(%error, "cannot give the lease back: it runs out by itself");
    }
}

fn held_scope(held: &Held) -> String {
    held.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(scope, _)| scope.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use twenty_webhook_inbox::{CatchUpCommit, Census, InboxError, Known, Missing};

    use super::*;

    /// Says how many deliveries there were.
    #[derive(Clone, Default)]
    struct Deliveries {
        arrived: Arc<AtomicU64>,
        losses: Arc<AtomicU64>,
    }

    impl CatchUpStore for Deliveries {
        async fn progress(&self, _: &str, _: &str) -> Result<Option<String>, InboxError> {
            Ok(None)
        }

        async fn known(&self, _: &str, _: &str, ids: &[String]) -> Result<Vec<Known>, InboxError> {
            Ok(vec![Known::default(); ids.len()])
        }

        async fn commit(&self, _: CatchUpCommit) -> Result<u64, InboxError> {
            Ok(0)
        }

        async fn census(&self, _: &str, _: &str, _: i64, _: &str) -> Result<Census, InboxError> {
            Ok(Census::default())
        }

        async fn missing(
            &self,
            _: &str,
            _: &str,
            _: i64,
            _: Option<&str>,
            _: &str,
            _: u32,
        ) -> Result<Vec<Missing>, InboxError> {
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
    async fn waited(catch_up: &CatchUp, store: &Deliveries, may_hurry: bool) -> u64 {
        let started = Instant::now();
        catch_up.wait(store, "", started, started + catch_up.every, Some(0), may_hurry).await;
        started.elapsed().as_secs()
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
        assert_eq!(waited(&catch_up.clone().without_suspicion(), &store, true).await, 15 * 60);
        assert_eq!(waited(&catch_up.clone().suspicious_at(56), &store, true).await, 15 * 60);
        store.arrived.store(0, Ordering::Relaxed);
        store.losses.store(1, Ordering::Relaxed);
        assert_eq!(waited(&catch_up, &store, true).await, 60);
        assert_eq!(waited(&catch_up, &store, false).await, 15 * 60);
    }
}
