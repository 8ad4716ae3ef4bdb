//! The guard against a real `redis-server`, on good days and bad ones.

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

use twenty_webhook_core::{Claim, Clock, DeliveryId, GuardError, Lease, ReplayGuard, UnixMillis};

fn id(case: &str) -> DeliveryId {
    DeliveryId::of(case.as_bytes())
}

/// Five minutes from now.
fn until() -> UnixMillis {
    Clock::system().now().saturating_add(Duration::from_secs(300))
}

#[track_caller]
fn lease(claim: Result<Claim, GuardError>) -> Lease {
    match claim {
        Ok(Claim::New(lease)) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

async fn handled(guard: &impl ReplayGuard, id: DeliveryId) {
    let lease = lease(guard.claim(id, until()).await);
    guard.complete(lease).await.unwrap();
}

async fn is_completed(guard: &impl ReplayGuard, id: DeliveryId) -> bool {
    matches!(guard.claim(id, until()).await, Ok(Claim::Completed))
}
