//! No replay and no duplicate gets past the guard, and nothing is lost for it.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod capacity;
mod clock;
mod concurrency;
mod contract;
mod fallback;
mod intake;
mod measure;
mod model;
mod window;

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Claim, Clock, MemoryReplayGuard, ReplayGuard, UnixMillis};

/// A clock that is set by hand.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn at(millis: u64) -> Self {
        Self(Arc::new(AtomicU64::new(millis)))
    }

    fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::new(move || hand.now())
    }
}

/// 2024-12-24T18:57:19.761Z
const NOON: u64 = 1_735_066_639_761;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(millis)
}

/// The body of a delivery, which makes it another one.
fn id(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

fn guard(hand: &Hand) -> MemoryReplayGuard {
    MemoryReplayGuard::new().clock(hand.clock()).lease(Duration::from_secs(30))
}

/// The memory guard never waits, so one poll is enough.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn claim<G: ReplayGuard>(guard: &G, id: [u8; 8], until: u64) -> Claim<G::Lease> {
    now_or_never(guard.claim(&delivery(id, at(until)))).unwrap()
}

#[track_caller]
fn new<G: ReplayGuard<Lease: Debug>>(guard: &G, id: [u8; 8], until: u64) -> G::Lease {
    match claim(guard, id, until) {
        Claim::New(lease) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

#[track_caller]
fn handled(guard: &impl ReplayGuard<Lease: Debug>, id: [u8; 8], until: u64) {
    now_or_never(guard.complete(new(guard, id, until))).unwrap();
}
