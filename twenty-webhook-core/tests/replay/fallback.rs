use std::fmt::Debug;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Claim, Delivery, GuardError, MemoryLease, MemoryReplayGuard, ReplayGuard};

use crate::{MINUTE, ManualClock, START, at, claim, guard, handled, id, new, now_or_never};

/// A shared guard that can be switched off.
pub(crate) struct Switchable {
    guard: MemoryReplayGuard,
    is_down: AtomicBool,
}

impl Switchable {
    pub(crate) fn new(guard: MemoryReplayGuard) -> Self {
        Self { guard, is_down: AtomicBool::new(false) }
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, SeqCst);
    }

    fn reach(&self) -> Result<&MemoryReplayGuard, GuardError> {
        if self.is_down.load(SeqCst) { Err(GuardError::unavailable("switched off")) } else { Ok(&self.guard) }
    }
}

impl ReplayGuard for Switchable {
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

const EXPIRES_AT: u64 = START + 5 * MINUTE;

fn receiver(clock: &ManualClock, shared: &Arc<Switchable>) -> impl ReplayGuard<Lease: Debug> + use<> {
    Arc::clone(shared).insecure_fallback(guard(clock), |_| ())
}

fn shared(clock: &ManualClock) -> Arc<Switchable> {
    Arc::new(Switchable::new(guard(clock)))
}

#[test]
fn an_outage_forgets_no_delivery_that_this_receiver_handled() {
    let clock = ManualClock::at(START);
    let shared = shared(&clock);
    let receiver = receiver(&clock, &shared);
    handled(&receiver, id(1), EXPIRES_AT);
    let running = new(&receiver, id(2), EXPIRES_AT);
    shared.set_down(true);
    assert!(matches!(claim(&receiver, id(1), EXPIRES_AT), Claim::Completed));
    assert!(matches!(claim(&receiver, id(2), EXPIRES_AT), Claim::InProgress { .. }));
    now_or_never(receiver.complete(running)).unwrap();
    assert!(matches!(claim(&receiver, id(2), EXPIRES_AT), Claim::Completed));
}

#[test]
fn a_delivery_handled_in_an_outage_is_completed_in_the_shared_guard_afterwards() {
    let clock = ManualClock::at(START);
    let shared = shared(&clock);
    let (here, there) = (receiver(&clock, &shared), receiver(&clock, &shared));
    shared.set_down(true);
    handled(&here, id(1), EXPIRES_AT);
    shared.set_down(false);
    assert!(matches!(claim(&here, id(1), EXPIRES_AT), Claim::Completed));
    assert!(
        matches!(claim(&there, id(1), EXPIRES_AT), Claim::Completed),
        "the first copy here completed it in the shared guard"
    );
}

#[test]
fn a_lease_is_released_only_where_it_was_granted() {
    let clock = ManualClock::at(START);
    let shared = shared(&clock);
    let (here, there) = (receiver(&clock, &shared), receiver(&clock, &shared));

    shared.set_down(true);
    let local_lease = new(&here, id(1), EXPIRES_AT);
    shared.set_down(false);
    let shared_lease = new(&there, id(1), EXPIRES_AT);
    now_or_never(here.release(local_lease)).unwrap();
    assert!(
        matches!(claim(&there, id(1), EXPIRES_AT), Claim::InProgress { .. }),
        "a local lease does not release a shared one"
    );
    now_or_never(there.complete(shared_lease)).unwrap();
    assert!(matches!(claim(&here, id(1), EXPIRES_AT), Claim::Completed));
}

#[test]
fn a_delivery_that_another_receiver_claimed_is_not_new_here() {
    let clock = ManualClock::at(START);
    let shared = shared(&clock);
    let (here, there) = (receiver(&clock, &shared), receiver(&clock, &shared));
    let running = new(&there, id(1), EXPIRES_AT);
    assert!(matches!(claim(&here, id(1), EXPIRES_AT), Claim::InProgress { .. }));
    now_or_never(there.release(running)).unwrap();
    handled(&here, id(1), EXPIRES_AT);
    assert!(matches!(claim(&there, id(1), EXPIRES_AT), Claim::Completed));
}

#[test]
fn a_fallback_may_have_a_fallback() {
    let clock = ManualClock::at(START);
    let (first, second) = (shared(&clock), shared(&clock));
    let chain = Arc::clone(&first).insecure_fallback(receiver(&clock, &second), |_| ());
    for (number, (first_down, second_down)) in (1..).zip([(false, false), (false, true), (true, false), (true, true)]) {
        first.set_down(first_down);
        second.set_down(second_down);
        let lease = new(&chain, id(number), EXPIRES_AT);
        now_or_never(chain.release(lease)).unwrap();
        handled(&chain, id(number), EXPIRES_AT);
        assert!(matches!(claim(&chain, id(number), EXPIRES_AT), Claim::Completed));
        assert_eq!(matches!(claim(&first.guard, id(number), EXPIRES_AT), Claim::Completed), !first_down);
    }
}

#[test]
fn every_failure_of_the_shared_guard_is_reported() {
    let clock = ManualClock::at(START);
    let shared = shared(&clock);
    let (count, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let report = {
        let (count, last) = (Arc::clone(&count), Arc::clone(&last));
        move |error: &GuardError| {
            count.fetch_add(1, SeqCst);
            *last.lock().unwrap() = error.to_string();
        }
    };
    let receiver = Arc::clone(&shared).insecure_fallback(guard(&clock), report);
    let lease = new(&receiver, id(1), EXPIRES_AT);
    assert_eq!(count.load(SeqCst), 0);
    shared.set_down(true);
    now_or_never(receiver.complete(lease)).unwrap();
    assert_eq!(count.load(SeqCst), 1);
    let _ = new(&receiver, id(2), EXPIRES_AT);
    assert_eq!(count.load(SeqCst), 2);
    assert_eq!(*last.lock().unwrap(), "the replay guard is unavailable: switched off");
}

/// A guard in an `Arc` abandons leases too, and at once.
#[test]
fn a_lease_is_abandoned_through_an_arc() {
    let clock = ManualClock::at(START);
    let guard = Arc::new(guard(&clock));
    ReplayGuard::abandon(&guard, new(&guard, id(1), EXPIRES_AT));
    let _ = new(&guard, id(1), EXPIRES_AT);
}

#[test]
fn a_lease_that_is_abandoned_is_abandoned_in_both() {
    let clock = ManualClock::at(START);
    let receiver = guard(&clock).insecure_fallback(guard(&clock), |_| ());
    receiver.abandon(new(&receiver, id(1), EXPIRES_AT));
    let _ = new(&receiver, id(1), EXPIRES_AT);
}

/// A shared guard that never answers.
struct Unresponsive;

impl ReplayGuard for Unresponsive {
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
fn a_claim_that_is_dropped_halfway_holds_no_lease() {
    let clock = ManualClock::at(START);
    let local = Arc::new(guard(&clock));
    let both = Unresponsive.insecure_fallback(local.clone(), |_| ());
    let delivery = delivery(id(1), at(EXPIRES_AT));
    {
        let mut claim = pin!(both.claim(&delivery));
        assert!(claim.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(matches!(now_or_never(local.claim(&delivery)), Ok(Claim::InProgress { .. })));
    }
    assert!(now_or_never(local.claim(&delivery)).unwrap().is_new());
}
