use std::time::Duration;

use twenty_webhook_core::{Claim, Delivery, MemoryReplayGuard, ReplayGuard, Secret, Signer, Tolerance, Verifier};

use crate::{HOUR, MINUTE, ManualClock, SECOND, START, at, claim, guard, handled, id, new, now_or_never};

const EXPIRES_AT: u64 = START + 5 * MINUTE;

/// Handles so many other deliveries that each shard of the guard has seen the time and removed its expired entries.
fn traffic(guard: &MemoryReplayGuard, from: u64, expires_at: u64) {
    for number in from..from + 10_000 {
        handled(guard, id(number), expires_at);
    }
}

#[test]
fn a_clock_set_back_an_hour_forgets_no_delivery() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    // Until the same signature has been within the tolerance a second time.
    for now in (START - HOUR..=EXPIRES_AT).step_by(10_007).chain([EXPIRES_AT]) {
        clock.set(now);
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed), "at {now}");
    }
}

#[test]
fn a_clock_set_back_an_hour_accepts_no_forgotten_delivery() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    clock.set(EXPIRES_AT + 1);
    traffic(&guard, 1_000, EXPIRES_AT + 5 * MINUTE);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Expired));
    for now in (START - HOUR..=EXPIRES_AT).step_by(10_007).chain([EXPIRES_AT]) {
        clock.set(now);
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Expired), "at {now}");
    }
}

/// A clock that is wrong by more than the tolerance would accept no delivery in the first place.
#[test]
fn a_clock_set_back_within_the_tolerance_loses_no_delivery() {
    let clock = ManualClock::at(START + 5 * MINUTE);
    let guard = guard(&clock);
    traffic(&guard, 1_000, EXPIRES_AT);
    // The receiver's clock was five minutes ahead of the sender's, and is corrected.
    for late in 0..600 {
        clock.set(START + late * SECOND);
        handled(&guard, id(late), EXPIRES_AT + late * SECOND);
    }
}

#[test]
fn a_lease_survives_a_clock_that_is_set_back() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    let (done, failed) = (new(&guard, id(1), EXPIRES_AT), new(&guard, id(2), EXPIRES_AT));
    clock.set(START - HOUR);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::InProgress { .. }));
    now_or_never(guard.complete(done)).unwrap();
    now_or_never(guard.release(failed)).unwrap();
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
    let _ = new(&guard, id(2), EXPIRES_AT);
}

/// A claim that is rejected as expired does not advance the guard's time: the clock may be wrong, not the delivery.
#[test]
fn a_clock_that_jumps_ahead_and_back_between_claims_loses_no_delivery() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    clock.set(START + HOUR);
    assert!(matches!(claim(&guard, id(2), EXPIRES_AT), Claim::Expired));
    clock.set(START);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
    handled(&guard, id(2), EXPIRES_AT);
}

/// A delivery that is accepted for `minutes` after it was sent.
fn accepted_for(minutes: u64, number: u64, sent_at: u64) -> Delivery {
    let secret = Secret::new("It's a Secret to Everybody").unwrap();
    let headers = Signer::new(secret.clone()).sign_at(&id(number), at(sent_at));
    let verifier = Verifier::new(secret).tolerance(Tolerance::both(Duration::from_secs(60 * minutes)));
    verifier.verify_at(&headers, id(number).to_vec(), at(sent_at)).unwrap()
}

/// A tenant with a long tolerance is accepted by a clock that is wrong. That must not cost the deliveries of a tenant with a short one.
#[test]
fn a_clock_that_jumps_ahead_and_back_loses_no_delivery_of_another_tenant() {
    let clock = ManualClock::at(START);
    // One shard.
    let guard = guard(&clock).capacity(1_000);
    let (long, short) = (accepted_for(120, 1, START), accepted_for(5, 2, START + SECOND));
    for (delivery, now) in [(&long, START + HOUR), (&short, START + SECOND)] {
        clock.set(now);
        let claim = now_or_never(guard.claim(delivery)).unwrap();
        let Claim::New(lease) = claim else { panic!("it should be New, not {claim:?}") };
        now_or_never(guard.complete(lease)).unwrap();
    }
    // Neither is accepted again, whatever the clock says.
    for now in [START - HOUR, START, START + 5 * MINUTE, START + HOUR, START + 2 * HOUR, START] {
        clock.set(now);
        for delivery in [&long, &short] {
            assert!(!now_or_never(guard.claim(delivery)).unwrap().is_new(), "at {now}");
        }
    }
}
