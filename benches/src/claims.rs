//! Claims on a replay guard.

use std::time::Duration;

use futures_util::FutureExt;
use twenty_webhook_core::{Claim, Clock, DeliveryId, MemoryReplayGuard, ReplayGuard, UnixMillis};

use crate::rounds::thread_cpu_time;

/// The ids of deliveries that differ, numbered from `first` on.
pub fn ids(first: usize, count: usize) -> Vec<DeliveryId> {
    (first..first + count).map(|number| DeliveryId::of(&number.to_le_bytes())).collect()
}

/// A memory guard that holds so many completed claims, none of which expires meanwhile, and has room for as many more.
pub fn memory_guard(entries: usize) -> MemoryReplayGuard {
    let guard = MemoryReplayGuard::new().capacity(4 * entries.max(100_000));
    claim_all(&guard, &ids(0, entries));
    guard
}

/// Claims and completes each of them. How long that took of this thread's CPU time, in nanoseconds each.
pub fn claim_all(guard: &MemoryReplayGuard, ids: &[DeliveryId]) -> f64 {
    let until = in_an_hour();
    let start = thread_cpu_time();
    for &id in ids {
        // The memory guard never waits.
        let claim = guard.claim(id, until).now_or_never();
        let Some(Ok(Claim::New(lease))) = claim else { panic!("{claim:?}") };
        guard.complete(lease).now_or_never().expect("it does not wait").expect("it is held");
    }
    (thread_cpu_time() - start).as_nanos() as f64 / ids.len() as f64
}

/// For as long as any bench takes.
pub fn in_an_hour() -> UnixMillis {
    Clock::system().now().saturating_add(Duration::from_secs(3600))
}
