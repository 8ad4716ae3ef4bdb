use std::fmt::Debug;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Claim, Delivery, GuardError, MemoryLease, MemoryReplayGuard, ReplayGuard};

use crate::{Hand, MINUTE, NOON, at, claim, guard, handled, id, new, now_or_never};

/// A shared guard that can be switched off.
pub(crate) struct Switched {
    guard: MemoryReplayGuard,
    down: AtomicBool,
}

impl Switched {
    pub(crate) fn new(guard: MemoryReplayGuard) -> Self {
        Self { guard, down: AtomicBool::new(false) }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, SeqCst);
    }

    fn reach(&self) -> Result<&MemoryReplayGuard, GuardError> {
        if self.down.load(SeqCst) { Err(GuardError::unavailable("switched off")) } else { Ok(&self.guard) }
    }
}

impl ReplayGuard for Switched {
    type Lease = MemoryLease;

    async fn claim(&self, delivery: &Delivery) -> Result<Claim<MemoryLease>, GuardError> {
        self.reach()?.claim(delivery).await
    }

    async fn complete(&self, lease: MemoryLease) -> Result<(), GuardError> {
        self.reach()?.complete(lease).await
    }

    async fn release(&self, lease: MemoryLease) -> Result<(), GuardError> {
        self.reach()?.release(lease).await
    }

    fn abandon(&self, lease: MemoryLease) {
        self.guard.abandon(lease);
    }
}

const UNTIL: u64 = NOON + 5 * MINUTE;

fn receiver(hand: &Hand, shared: &Arc<Switched>) -> impl ReplayGuard<Lease: Debug> + use<> {
    Arc::clone(shared).insecure_fallback(guard(hand), |_| ())
}

fn shared(hand: &Hand) -> Arc<Switched> {
    Arc::new(Switched::new(guard(hand)))
}

#[test]
fn an_outage_forgets_nothing_that_was_handled_here_before() {
    let hand = Hand::at(NOON);
    let shared = shared(&hand);
    let receiver = receiver(&hand, &shared);
    handled(&receiver, id(1), UNTIL);
    let running = new(&receiver, id(2), UNTIL);
    shared.set_down(true);
    assert!(matches!(claim(&receiver, id(1), UNTIL), Claim::Completed));
    assert!(matches!(claim(&receiver, id(2), UNTIL), Claim::InProgress { .. }));
    now_or_never(receiver.complete(running)).unwrap();
    assert!(matches!(claim(&receiver, id(2), UNTIL), Claim::Completed));
}

#[test]
fn what_was_handled_in_an_outage_is_known_after_it_and_passed_on() {
    let hand = Hand::at(NOON);
    let shared = shared(&hand);
    let (here, there) = (receiver(&hand, &shared), receiver(&hand, &shared));
    shared.set_down(true);
    handled(&here, id(1), UNTIL);
    shared.set_down(false);
    assert!(matches!(claim(&here, id(1), UNTIL), Claim::Completed));
    assert!(matches!(claim(&there, id(1), UNTIL), Claim::Completed), "the first copy here told the shared guard");
}

#[test]
fn a_lease_is_settled_where_it_was_granted() {
    let hand = Hand::at(NOON);
    let shared = shared(&hand);
    let (here, there) = (receiver(&hand, &shared), receiver(&hand, &shared));

    shared.set_down(true);
    let alone = new(&here, id(1), UNTIL);
    shared.set_down(false);
    let theirs = new(&there, id(1), UNTIL);
    now_or_never(here.release(alone)).unwrap();
    assert!(matches!(claim(&there, id(1), UNTIL), Claim::InProgress { .. }), "our lease is not theirs to lose");
    now_or_never(there.complete(theirs)).unwrap();
    assert!(matches!(claim(&here, id(1), UNTIL), Claim::Completed));
}

#[test]
fn what_another_receiver_does_is_not_new_here() {
    let hand = Hand::at(NOON);
    let shared = shared(&hand);
    let (here, there) = (receiver(&hand, &shared), receiver(&hand, &shared));
    let running = new(&there, id(1), UNTIL);
    assert!(matches!(claim(&here, id(1), UNTIL), Claim::InProgress { .. }));
    now_or_never(there.release(running)).unwrap();
    handled(&here, id(1), UNTIL);
    assert!(matches!(claim(&there, id(1), UNTIL), Claim::Completed));
}

#[test]
fn a_fallback_may_have_a_fallback() {
    let hand = Hand::at(NOON);
    let (first, second) = (shared(&hand), shared(&hand));
    let chain = Arc::clone(&first).insecure_fallback(receiver(&hand, &second), |_| ());
    for (number, (first_down, second_down)) in (1..).zip([(false, false), (false, true), (true, false), (true, true)]) {
        first.set_down(first_down);
        second.set_down(second_down);
        let lease = new(&chain, id(number), UNTIL);
        now_or_never(chain.release(lease)).unwrap();
        handled(&chain, id(number), UNTIL);
        assert!(matches!(claim(&chain, id(number), UNTIL), Claim::Completed));
        assert_eq!(matches!(claim(&first.guard, id(number), UNTIL), Claim::Completed), !first_down);
    }
}

#[test]
fn every_failure_of_the_shared_guard_is_reported() {
    let hand = Hand::at(NOON);
    let shared = shared(&hand);
    let (count, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let report = {
        let (count, last) = (Arc::clone(&count), Arc::clone(&last));
        move |error: &GuardError| {
            count.fetch_add(1, SeqCst);
            *last.lock().unwrap() = error.to_string();
        }
    };
    let receiver = Arc::clone(&shared).insecure_fallback(guard(&hand), report);
    let lease = new(&receiver, id(1), UNTIL);
    assert_eq!(count.load(SeqCst), 0);
    shared.set_down(true);
    now_or_never(receiver.complete(lease)).unwrap();
    assert_eq!(count.load(SeqCst), 1);
    let _ = new(&receiver, id(2), UNTIL);
    assert_eq!(count.load(SeqCst), 2);
    assert_eq!(*last.lock().unwrap(), "the replay guard is unavailable: switched off");
}

/// A guard that is shared through an `Arc` is abandoned too, and at once.
#[test]
fn a_lease_is_abandoned_through_an_arc() {
    let hand = Hand::at(NOON);
    let guard = Arc::new(guard(&hand));
    ReplayGuard::abandon(&guard, new(&guard, id(1), UNTIL));
    let _ = new(&guard, id(1), UNTIL);
}

#[test]
fn a_lease_that_is_abandoned_is_abandoned_in_both() {
    let hand = Hand::at(NOON);
    let receiver = guard(&hand).insecure_fallback(guard(&hand), |_| ());
    receiver.abandon(new(&receiver, id(1), UNTIL));
    let _ = new(&receiver, id(1), UNTIL);
}

/// A shared guard that does not answer.
struct Hangs;

impl ReplayGuard for Hangs {
    type Lease = ();

    async fn claim(&self, _: &Delivery) -> Result<Claim<()>, GuardError> {
        std::future::pending().await
    }

    async fn complete(&self, (): ()) -> Result<(), GuardError> {
        Ok(())
    }

    async fn release(&self, (): ()) -> Result<(), GuardError> {
        Ok(())
    }

    fn abandon(&self, (): ()) {}
}

#[test]
fn a_claim_that_is_dropped_half_way_holds_nothing() {
    let hand = Hand::at(NOON);
    let local = Arc::new(guard(&hand));
    let both = Hangs.insecure_fallback(local.clone(), |_| ());
    let delivery = delivery(id(1), at(UNTIL));
    {
        let mut claim = pin!(both.claim(&delivery));
        assert!(claim.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(matches!(now_or_never(local.claim(&delivery)), Ok(Claim::InProgress { .. })));
    }
    assert!(now_or_never(local.claim(&delivery)).unwrap().is_new());
}
