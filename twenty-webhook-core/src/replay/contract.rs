//! The tests that every [`ReplayGuard`] must pass, for implementations in any crate. Feature `replay-contract`.
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU64, Ordering::SeqCst}};
//! use std::time::Duration;
//! use twenty_webhook_core::{Clock, MemoryReplayGuard, UnixMillis, replay_contract};
//!
//! struct Memory(Arc<AtomicU64>);
//!
//! impl replay_contract::Stand for Memory {
//!     type Guard = MemoryReplayGuard;
//!
//!     fn guard(&self, lease: Duration) -> MemoryReplayGuard {
//!         let millis = Arc::clone(&self.0);
//!         let clock = Clock::new(move || UnixMillis::from_millis(millis.load(SeqCst)));
//!         MemoryReplayGuard::new().lease(lease).clock(clock)
//!     }
//!
//!     fn now(&self) -> UnixMillis {
//!         UnixMillis::from_millis(self.0.load(SeqCst))
//!     }
//!
//!     async fn pass(&self, time: Duration) {
//!         self.0.fetch_add(time.as_millis() as u64, SeqCst);
//!     }
//! }
//!
//! # fn block_on(run: impl Future<Output = ()>) {
//! #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! #     assert!(std::pin::pin!(run).poll(&mut context).is_ready());
//! # }
//! block_on(replay_contract::check(&Memory(Arc::new(AtomicU64::new(1_735_066_639_761)))));
//! ```

use std::future::{self, Future};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::{Claim, DeliveryId, GuardError, Lease, ReplayGuard, UnixMillis};

/// Where a guard is put to the test.
pub trait Stand {
    /// The guard under test.
    type Guard: ReplayGuard;

    /// A guard whose claims last for `lease`, and which remembers nothing. It may share its memory with the ones before: no id is
    /// used in two cases.
    fn guard(&self, lease: Duration) -> Self::Guard;

    /// What the guard takes for now.
    fn now(&self) -> UnixMillis;

    /// Lets at least this much time pass for the guard: sets its clock forward, or sleeps.
    fn pass(&self, time: Duration) -> impl Future<Output = ()>;
}

/// Longer than any case takes.
const LONG: Duration = Duration::from_secs(60 * 60);
/// Long enough for two calls, in cases that must wait until it has run out.
const SHORT: Duration = Duration::from_secs(1);
const AFTER_SHORT: Duration = Duration::from_millis(1_001);

/// Runs every case.
///
/// # Panics
/// Says which promise of [`ReplayGuard`] is broken.
pub async fn check(stand: &impl Stand) {
    a_delivery_is_new_once(stand).await;
    a_released_delivery_is_new_again(stand).await;
    a_released_delivery_is_remembered_for_as_long(stand).await;
    of_many_claims_at_once_one_is_new(stand).await;
    a_claim_after_its_until_is_expired(stand).await;
    a_later_until_extends_a_completed_claim(stand).await;
    a_later_until_extends_a_running_claim(stand).await;
    a_lease_runs_out(stand).await;
    a_lease_that_ran_out_still_completes(stand).await;
    an_old_holder_does_not_complete_the_next_claim(stand).await;
    an_old_holder_does_not_release_the_next_claim(stand).await;
    an_old_holder_does_not_release_what_was_completed(stand).await;
    a_lease_outlives_the_until_of_its_claim(stand).await;
}

async fn a_delivery_is_new_once(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let (id, other, until) = (id("once"), id("another"), later(stand));
    let lease = new(guard.claim(id, until).await);
    assert_eq!((lease.id(), lease.until()), (id, until), "a lease says what was claimed");
    in_progress(guard.claim(id, until).await);
    new(guard.claim(other, until).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(id, until).await);
    completed(guard.claim(id, until).await);
    in_progress(guard.claim(other, until).await);
}

async fn a_released_delivery_is_new_again(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let (id, until) = (id("released"), later(stand));
    for _ in 0..3 {
        let lease = new(guard.claim(id, until).await);
        guard.release(lease).await.expect("the lease is held");
    }
    let lease = new(guard.claim(id, until).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(id, until).await);
}

async fn a_released_delivery_is_remembered_for_as_long(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let (id, until) = (id("released, then completed by another copy"), later(stand));
    let lease = new(guard.claim(id, until).await);
    guard.release(lease).await.expect("the lease is held");
    let lease = new(guard.claim(id, stand.now().saturating_add(SHORT)).await);
    guard.complete(lease).await.expect("the lease is held");
    stand.pass(AFTER_SHORT).await;
    completed(guard.claim(id, until).await);
}

async fn of_many_claims_at_once_one_is_new(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let (id, until) = (id("at once"), later(stand));
    let claims = all((0..1_000).map(|_| guard.claim(id, until))).await;
    let new = claims.into_iter().filter(|claim| match claim {
        Ok(Claim::New(_)) => true,
        Ok(Claim::InProgress { .. }) => false,
        other => panic!("of many claims at once, one was {other:?}"),
    });
    assert_eq!(new.count(), 1, "of many claims at once, exactly one is new");
}

async fn a_claim_after_its_until_is_expired(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let passed = UnixMillis::from_millis(stand.now().as_millis() - 1_000);
    let claim = guard.claim(id("passed"), passed).await;
    assert!(matches!(claim, Ok(Claim::Expired)), "a claim whose `until` has passed is Expired, not {claim:?}");
}

async fn a_later_until_extends_a_completed_claim(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let id = id("extended");
    let lease = new(guard.claim(id, stand.now().saturating_add(SHORT)).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(id, later(stand)).await);
    stand.pass(AFTER_SHORT).await;
    completed(guard.claim(id, later(stand)).await);
}

async fn a_later_until_extends_a_running_claim(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let id = id("extended while it runs");
    let lease = new(guard.claim(id, stand.now().saturating_add(SHORT)).await);
    in_progress(guard.claim(id, later(stand)).await);
    guard.complete(lease).await.expect("the lease is held");
    stand.pass(AFTER_SHORT).await;
    completed(guard.claim(id, later(stand)).await);
}

async fn a_lease_runs_out(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let (id, until) = (id("runs out"), later(stand));
    let first = new(guard.claim(id, until).await);
    let retry_after = in_progress(guard.claim(id, until).await);
    assert!(retry_after <= SHORT, "a copy may be let in after the lease, not after {retry_after:?}");
    stand.pass(AFTER_SHORT).await;
    let second = new(guard.claim(id, until).await);
    assert_ne!(first.token(), second.token(), "two claims have two tokens");
    guard.complete(second).await.expect("the lease is held");
    completed(guard.claim(id, until).await);
}

async fn a_lease_that_ran_out_still_completes(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let (id, until) = (id("ran out, but nobody came"), later(stand));
    let lease = new(guard.claim(id, until).await);
    stand.pass(AFTER_SHORT).await;
    guard.complete(lease).await.expect("nobody claimed it since");
    completed(guard.claim(id, until).await);
}

async fn an_old_holder_does_not_complete_the_next_claim(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let (id, until) = (id("old completes"), later(stand));
    let old = new(guard.claim(id, until).await);
    stand.pass(AFTER_SHORT).await;
    let next = new(guard.claim(id, until).await);
    let outcome = guard.complete(old).await;
    assert_eq!(outcome, Err(GuardError::LeaseLost), "an old holder is told that it has lost the lease");
    in_progress(guard.claim(id, until).await);
    guard.release(next).await.expect("the lease is held");
    new(guard.claim(id, until).await);
}

async fn an_old_holder_does_not_release_the_next_claim(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let (id, until) = (id("old releases"), later(stand));
    let old = new(guard.claim(id, until).await);
    stand.pass(AFTER_SHORT).await;
    let next = new(guard.claim(id, until).await);
    guard.release(old).await.expect("an old holder that has failed has nothing to be told");
    in_progress(guard.claim(id, until).await);
    guard.complete(next).await.expect("the lease is held");
    completed(guard.claim(id, until).await);
}

async fn an_old_holder_does_not_release_what_was_completed(stand: &impl Stand) {
    let guard = stand.guard(SHORT);
    let (id, until) = (id("old releases the completed"), later(stand));
    let old = new(guard.claim(id, until).await);
    stand.pass(AFTER_SHORT).await;
    let next = new(guard.claim(id, until).await);
    guard.complete(next).await.expect("the lease is held");
    guard.release(old).await.expect("an old holder that has failed has nothing to be told");
    completed(guard.claim(id, until).await);
}

async fn a_lease_outlives_the_until_of_its_claim(stand: &impl Stand) {
    let guard = stand.guard(LONG);
    let id = id("outlives");
    let lease = new(guard.claim(id, stand.now().saturating_add(SHORT)).await);
    stand.pass(AFTER_SHORT).await;
    // A copy that is signed anew, while the first is still being handled.
    in_progress(guard.claim(id, later(stand)).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(id, later(stand)).await);
}

fn id(case: &str) -> DeliveryId {
    DeliveryId::of(case.as_bytes())
}

fn later(stand: &impl Stand) -> UnixMillis {
    stand.now().saturating_add(LONG)
}

#[track_caller]
fn new(claim: Result<Claim, GuardError>) -> Lease {
    match claim {
        Ok(Claim::New(lease)) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

#[track_caller]
fn in_progress(claim: Result<Claim, GuardError>) -> Duration {
    match claim {
        Ok(Claim::InProgress { retry_after }) => retry_after,
        other => panic!("it should be InProgress, not {other:?}"),
    }
}

#[track_caller]
fn completed(claim: Result<Claim, GuardError>) {
    match claim {
        Ok(Claim::Completed) => {}
        other => panic!("it should be Completed, not {other:?}"),
    }
}

/// Runs the futures together, in whatever runtime this is.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done = Vec::with_capacity(waiting.len());
    future::poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                done.push(output);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done
}
