//! The tests that each implementation of [`ReplayGuard`] must pass. Feature `replay-contract`.
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU64, Ordering::SeqCst}};
//! use std::time::Duration;
//! use twenty_webhook_core::{Clock, MemoryReplayGuard, UnixMillis, replay_contract};
//!
//! struct Memory(Arc<AtomicU64>);
//!
//! impl replay_contract::Harness for Memory {
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
//!     async fn advance(&self, time: Duration) {
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

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use crate::{Claim, Delivery, GuardError, ReplayGuard, Secret, Signer, Tolerance, UnixMillis, Verifier};

/// Makes the guards under test, and controls their clock.
pub trait Harness {
    /// The guard under test.
    type Guard: ReplayGuard<Lease: fmt::Debug>;

    /// A guard with leases of `lease`. It may share its storage with earlier guards: no two cases use the same delivery.
    fn guard(&self, lease: Duration) -> Self::Guard;

    /// The guard's current time.
    fn now(&self) -> UnixMillis;

    /// Advances the guard's time by at least `time`: sets its clock forward, or sleeps.
    fn advance(&self, time: Duration) -> impl Future<Output = ()>;
}

/// Longer than each case.
const LONG: Duration = Duration::from_secs(60 * 60);
/// Long enough for two calls. Some cases wait until it has passed.
const SHORT: Duration = Duration::from_secs(1);
const AFTER_SHORT: Duration = Duration::from_millis(1_001);

/// Runs every case.
///
/// # Panics
/// If the guard breaks a promise of [`ReplayGuard`]. The message names it.
pub async fn check(harness: &impl Harness) {
    a_delivery_is_new_once(harness).await;
    a_released_delivery_is_new_again(harness).await;
    a_released_delivery_is_still_remembered(harness).await;
    of_many_claims_at_once_one_is_new(harness).await;
    a_claim_after_its_expiry_is_expired(harness).await;
    a_later_expiry_extends_a_completed_claim(harness).await;
    a_later_expiry_extends_an_open_claim(harness).await;
    a_lease_expires(harness).await;
    an_expired_lease_still_completes(harness).await;
    an_old_holder_does_not_complete_the_next_claim(harness).await;
    an_old_holder_does_not_complete_what_was_completed(harness).await;
    an_old_holder_does_not_release_the_next_claim(harness).await;
    an_old_holder_does_not_release_what_was_completed(harness).await;
    a_lease_outlives_the_expiry_of_its_claim(harness).await;
    another_tenants_delivery_is_another_one(harness).await;
    an_abandoned_delivery_is_new_once_its_lease_has_expired(harness).await;
}

async fn a_delivery_is_new_once(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let (id, other, expires_at) = ("once", "another", later(harness));
    let lease = new(guard.claim(&delivery(id, expires_at)).await);
    in_progress(guard.claim(&delivery(id, expires_at)).await);
    new(guard.claim(&delivery(other, expires_at)).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, expires_at)).await);
    completed(guard.claim(&delivery(id, expires_at)).await);
    in_progress(guard.claim(&delivery(other, expires_at)).await);
}

async fn a_released_delivery_is_new_again(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let (id, expires_at) = ("released", later(harness));
    for _ in 0..3 {
        let lease = new(guard.claim(&delivery(id, expires_at)).await);
        guard.release(lease).await.expect("the lease is held");
    }
    let lease = new(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn a_released_delivery_is_still_remembered(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let (id, expires_at) = ("released, then completed by another copy", later(harness));
    let lease = new(guard.claim(&delivery(id, expires_at)).await);
    guard.release(lease).await.expect("the lease is held");
    let lease = new(guard.claim(&delivery(id, harness.now().saturating_add(SHORT))).await);
    guard.complete(lease).await.expect("the lease is held");
    harness.advance(AFTER_SHORT).await;
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn of_many_claims_at_once_one_is_new(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let (id, expires_at) = ("at once", later(harness));
    let delivery = delivery(id, expires_at);
    let claims = all((0..1_000).map(|_| guard.claim(&delivery))).await;
    let new = claims.into_iter().filter(|claim| match claim {
        Ok(Claim::New(_)) => true,
        Ok(Claim::InProgress { .. }) => false,
        other => panic!("of many claims at once, one was {other:?}"),
    });
    assert_eq!(new.count(), 1, "of many claims at once, exactly one is new");
}

async fn a_claim_after_its_expiry_is_expired(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let passed = UnixMillis::from_millis(harness.now().as_millis() - 1_000);
    let claim = guard.claim(&delivery("passed", passed)).await;
    assert!(matches!(claim, Ok(Claim::Expired)), "a claim after `expires_at` is Expired, not {claim:?}");
}

async fn a_later_expiry_extends_a_completed_claim(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let id = "extended";
    let lease = new(guard.claim(&delivery(id, harness.now().saturating_add(SHORT))).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, later(harness))).await);
    harness.advance(AFTER_SHORT).await;
    completed(guard.claim(&delivery(id, later(harness))).await);
}

async fn a_later_expiry_extends_an_open_claim(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let id = "extended while it runs";
    let lease = new(guard.claim(&delivery(id, harness.now().saturating_add(SHORT))).await);
    in_progress(guard.claim(&delivery(id, later(harness))).await);
    guard.complete(lease).await.expect("the lease is held");
    harness.advance(AFTER_SHORT).await;
    completed(guard.claim(&delivery(id, later(harness))).await);
}

async fn a_lease_expires(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("expires", later(harness));
    let first = new(guard.claim(&delivery(id, expires_at)).await);
    let retry_after = in_progress(guard.claim(&delivery(id, expires_at)).await);
    assert!(retry_after <= SHORT, "the retry is due when the lease expires, not after {retry_after:?}");
    harness.advance(AFTER_SHORT).await;
    let second = new(guard.claim(&delivery(id, expires_at)).await);
    guard.release(first).await.expect("the release of an expired lease is no error");
    in_progress(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(second).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn an_expired_lease_still_completes(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("expired, and not claimed since", later(harness));
    let lease = new(guard.claim(&delivery(id, expires_at)).await);
    harness.advance(AFTER_SHORT).await;
    guard.complete(lease).await.expect("it was not claimed since");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn an_old_holder_does_not_complete_the_next_claim(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("old completes", later(harness));
    let old = new(guard.claim(&delivery(id, expires_at)).await);
    harness.advance(AFTER_SHORT).await;
    let next = new(guard.claim(&delivery(id, expires_at)).await);
    let outcome = guard.complete(old).await;
    assert_eq!(outcome, Err(GuardError::LeaseLost), "completing a lost lease is an error");
    in_progress(guard.claim(&delivery(id, expires_at)).await);
    guard.release(next).await.expect("the lease is held");
    new(guard.claim(&delivery(id, expires_at)).await);
}

async fn an_old_holder_does_not_complete_what_was_completed(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("old completes the completed", later(harness));
    let old = new(guard.claim(&delivery(id, expires_at)).await);
    harness.advance(AFTER_SHORT).await;
    let next = new(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(next).await.expect("the lease is held");
    let outcome = guard.complete(old).await;
    assert_eq!(outcome, Err(GuardError::LeaseLost), "it was handled twice, so completing it again is an error");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn an_old_holder_does_not_release_the_next_claim(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("old releases", later(harness));
    let old = new(guard.claim(&delivery(id, expires_at)).await);
    harness.advance(AFTER_SHORT).await;
    let next = new(guard.claim(&delivery(id, expires_at)).await);
    guard.release(old).await.expect("the release of an expired lease is no error");
    in_progress(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(next).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn an_old_holder_does_not_release_what_was_completed(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("old releases the completed", later(harness));
    let old = new(guard.claim(&delivery(id, expires_at)).await);
    harness.advance(AFTER_SHORT).await;
    let next = new(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(next).await.expect("the lease is held");
    guard.release(old).await.expect("the release of an expired lease is no error");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

async fn a_lease_outlives_the_expiry_of_its_claim(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let id = "outlives";
    let lease = new(guard.claim(&delivery(id, harness.now().saturating_add(SHORT))).await);
    harness.advance(AFTER_SHORT).await;
    // A copy with a new signature, while the first is still being handled.
    in_progress(guard.claim(&delivery(id, later(harness))).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, later(harness))).await);
}

async fn another_tenants_delivery_is_another_one(harness: &impl Harness) {
    let guard = harness.guard(LONG);
    let (body, expires_at) = ("the same bytes", later(harness));
    let ours = new(guard.claim(&delivery_signed_with("one tenant's secret", body, expires_at)).await);
    guard.complete(ours).await.expect("the lease is held");
    new(guard.claim(&delivery_signed_with("another tenant's secret", body, expires_at)).await);
    completed(guard.claim(&delivery_signed_with("one tenant's secret", body, expires_at)).await);
}

async fn an_abandoned_delivery_is_new_once_its_lease_has_expired(harness: &impl Harness) {
    let guard = harness.guard(SHORT);
    let (id, expires_at) = ("abandoned", later(harness));
    guard.abandon(new(guard.claim(&delivery(id, expires_at)).await));
    harness.advance(AFTER_SHORT).await;
    let lease = new(guard.claim(&delivery(id, expires_at)).await);
    guard.complete(lease).await.expect("the lease is held");
    completed(guard.claim(&delivery(id, expires_at)).await);
}

/// A delivery with the body `body`, whose signature is accepted until `expires_at`, inclusive. For tests of guards.
///
/// ```
/// use twenty_webhook_core::{UnixMillis, replay_contract::delivery};
///
/// let expires_at = UnixMillis::from_millis(1_735_066_639_761);
/// assert_eq!(delivery("a", expires_at).expires_at(), expires_at);
/// assert_eq!(delivery("a", expires_at).replay_key(), delivery("a", UnixMillis::from_millis(1)).replay_key());
/// ```
pub fn delivery(body: impl AsRef<[u8]>, expires_at: UnixMillis) -> Delivery {
    static SECRET: LazyLock<Secret> = LazyLock::new(|| secret("It's a Secret to Everybody"));
    signed_with(SECRET.clone(), body.as_ref(), expires_at)
}

/// [`delivery`], signed with this secret.
///
/// # Panics
/// If the secret is blank.
pub fn delivery_signed_with(text: &str, body: impl AsRef<[u8]>, expires_at: UnixMillis) -> Delivery {
    signed_with(secret(text), body.as_ref(), expires_at)
}

fn secret(text: &str) -> Secret {
    Secret::new(text).expect("the secret is not blank")
}

fn signed_with(secret: Secret, body: &[u8], expires_at: UnixMillis) -> Delivery {
    let headers = Signer::new(secret.clone()).sign_at(body, expires_at);
    let verifier = Verifier::new(secret).tolerance(Tolerance::both(Duration::ZERO));
    verifier.verify_at(&headers, body.to_vec(), expires_at).expect("it was signed at this time")
}

fn later(harness: &impl Harness) -> UnixMillis {
    harness.now().saturating_add(LONG)
}

#[track_caller]
fn new<L: fmt::Debug>(claim: Result<Claim<L>, GuardError>) -> L {
    match claim {
        Ok(Claim::New(lease)) => lease,
        other => panic!("it should be New, not {other:?}"),
    }
}

#[track_caller]
fn in_progress<L: fmt::Debug>(claim: Result<Claim<L>, GuardError>) -> Duration {
    match claim {
        Ok(Claim::InProgress { retry_after }) => retry_after,
        other => panic!("it should be InProgress, not {other:?}"),
    }
}

#[track_caller]
fn completed<L: fmt::Debug>(claim: Result<Claim<L>, GuardError>) {
    match claim {
        Ok(Claim::Completed) => {}
        other => panic!("it should be Completed, not {other:?}"),
    }
}

/// Runs the futures concurrently, in any runtime.
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
