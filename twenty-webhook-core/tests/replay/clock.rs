use twenty_webhook_core::{Claim, MemoryReplayGuard, ReplayGuard};

use crate::{HOUR, Hand, MINUTE, NOON, SECOND, claim, guard, handled, id, new, now_or_never};

const UNTIL: u64 = NOON + 5 * MINUTE;

/// So many other deliveries that each of the guard's parts has seen the time, and forgotten what it could.
fn traffic(guard: &MemoryReplayGuard, from: u64, until: u64) {
    for number in from..from + 10_000 {
        handled(guard, id(number), until);
    }
}

#[test]
fn set_back_an_hour_while_it_is_remembered() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    // And on, until the same signature has been fresh a second time.
    for now in (NOON - HOUR..=UNTIL).step_by(10_007).chain([UNTIL]) {
        hand.set(now);
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed), "at {now}");
    }
}

#[test]
fn set_back_an_hour_after_it_was_forgotten() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    hand.set(UNTIL + 1);
    traffic(&guard, 1_000, UNTIL + 5 * MINUTE);
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Expired));
    for now in (NOON - HOUR..=UNTIL).step_by(10_007).chain([UNTIL]) {
        hand.set(now);
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Expired), "at {now}");
    }
}

/// By no more than the tolerance, which is all that a clock can be wrong by and still be one that deliveries are accepted at.
#[test]
fn set_back_within_the_tolerance_it_loses_nothing() {
    let hand = Hand::at(NOON + 5 * MINUTE);
    let guard = guard(&hand);
    traffic(&guard, 1_000, UNTIL);
    // The receiver was five minutes ahead of the sender, and is set right.
    for late in 0..600 {
        hand.set(NOON + late * SECOND);
        handled(&guard, id(late), UNTIL + late * SECOND);
    }
}

#[test]
fn a_lease_that_is_held_while_the_clock_is_set_back_is_settled() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    let (done, failed) = (new(&guard, id(1), UNTIL), new(&guard, id(2), UNTIL));
    hand.set(NOON - HOUR);
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::InProgress { .. }));
    now_or_never(guard.complete(done)).unwrap();
    now_or_never(guard.release(failed)).unwrap();
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
    let _ = new(&guard, id(2), UNTIL);
}

/// A claim that is refused as expired says nothing about the time: the clock, not the delivery, may be wrong.
#[test]
fn a_clock_that_jumps_ahead_and_back_between_claims_loses_nothing() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    hand.set(NOON + HOUR);
    assert!(matches!(claim(&guard, id(2), UNTIL), Claim::Expired));
    hand.set(NOON);
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
    handled(&guard, id(2), UNTIL);
}
