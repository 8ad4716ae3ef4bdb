//! Claims on a replay guard.

use futures_util::FutureExt;
use twenty_webhook_core::{Claim, Delivery, MemoryReplayGuard, ReplayGuard, Secret, Signer, Verifier};

use crate::rounds::thread_cpu_time;

/// Different deliveries, numbered from `first`. Their bodies have 8 bytes, so hashing them costs little.
pub fn deliveries(first: usize, count: usize) -> Vec<Delivery> {
    let secret = Secret::new("s3cret").expect("it is not blank");
    let (signer, verifier) = (Signer::new(secret.clone()), Verifier::new(secret));
    let delivery = |number: usize| {
        let body = number.to_le_bytes();
        verifier.verify(&signer.sign(&body), body.to_vec()).expect("it was signed just now")
    };
    (first..first + count).map(delivery).collect()
}

/// A memory guard with `entries` completed claims that do not expire, and capacity for as many more.
pub fn memory_guard(entries: usize) -> MemoryReplayGuard {
    let guard = MemoryReplayGuard::new().capacity(4 * entries.max(100_000));
    claim_all(&guard, &deliveries(0, entries));
    guard
}

/// Claims and completes each delivery. Returns this thread's CPU time in nanoseconds per delivery.
pub fn claim_all(guard: &MemoryReplayGuard, deliveries: &[Delivery]) -> f64 {
    let start = thread_cpu_time();
    for delivery in deliveries {
        // The memory guard never waits.
        let claim = guard.claim(delivery).now_or_never();
        let Some(Ok(Claim::New(lease))) = claim else { panic!("{claim:?}") };
        guard.complete(lease).now_or_never().expect("it does not wait").expect("it is held");
    }
    thread_cpu_time().saturating_sub(start).as_nanos() as f64 / deliveries.len() as f64
}
