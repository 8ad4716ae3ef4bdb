//! Tests of the guard with a real `redis-server`: contract, entries, outages, several receivers and processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod contract;
mod entries;
mod fallback;
mod outages;
mod processes;
mod proxy;
mod receivers;
mod server;

use std::time::Duration;

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Claim, Clock, GuardError, ReplayGuard, ReplayKey, UnixMillis};

/// The key of the delivery with this body.
fn id(case: &str) -> ReplayKey {
    delivery(case, expires_at()).replay_key()
}

/// When a delivery expires that was sent now: in 5 minutes.
fn expires_at() -> UnixMillis {
    Clock::system().now().saturating_add(Duration::from_secs(300))
}

#[track_caller]
fn lease<L: std::fmt::Debug>(claim: Result<Claim<L>, GuardError>) -> L {
    match claim {
        Ok(Claim::New(lease)) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

async fn handled(guard: &impl ReplayGuard<Lease: std::fmt::Debug>, case: &str) {
    let lease = lease(guard.claim(&delivery(case, expires_at())).await);
    guard.complete(lease).await.unwrap();
}

async fn is_completed(guard: &impl ReplayGuard, case: &str) -> bool {
    matches!(guard.claim(&delivery(case, expires_at())).await, Ok(Claim::Completed))
}
