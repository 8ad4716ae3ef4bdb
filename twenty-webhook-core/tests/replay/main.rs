//! The guard stops every replay and every duplicate, and loses no delivery.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod capacity;
mod clock;
mod concurrency;
mod contract;
mod fallback;
mod measure;
mod model;
mod pipeline;
mod window;

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Claim, Clock, MemoryReplayGuard, ReplayGuard, UnixMillis};

/// A clock that a test sets.
#[derive(Clone)]
struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    fn at(millis: u64) -> Self {
        Self(Arc::new(AtomicU64::new(millis)))
    }

    fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn to_clock(&self) -> Clock {
        let clock = self.clone();
        Clock::new(move || clock.now())
    }
}

/// 2024-12-24T18:57:19.761Z
const START: u64 = 1_735_066_639_761;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

/// The body of a delivery. Different bodies are different deliveries.
fn id(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

fn guard(clock: &ManualClock) -> MemoryReplayGuard {
    MemoryReplayGuard::new().clock(clock.to_clock()).lease(Duration::from_secs(30))
}

/// The memory guard is always ready at once, so one poll is enough.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn claim<G: ReplayGuard>(guard: &G, id: [u8; 8], expires_at: u64) -> Claim<G::Lease> {
    now_or_never(guard.claim(&delivery(id, at(expires_at)))).unwrap()
}

#[track_caller]
fn new<G: ReplayGuard<Lease: Debug>>(guard: &G, id: [u8; 8], expires_at: u64) -> G::Lease {
    match claim(guard, id, expires_at) {
        Claim::New(lease) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

#[track_caller]
fn handled(guard: &impl ReplayGuard<Lease: Debug>, id: [u8; 8], expires_at: u64) {
    now_or_never(guard.complete(new(guard, id, expires_at))).unwrap();
}
