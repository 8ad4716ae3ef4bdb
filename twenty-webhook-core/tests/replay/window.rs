use std::time::Duration;

use twenty_webhook_core::{Claim, GuardError, MemoryReplayGuard, ReplayGuard};

use crate::{HOUR, Hand, MINUTE, NOON, SECOND, claim, guard, handled, id, new, now_or_never};

const UNTIL: u64 = NOON + 5 * MINUTE;

#[test]
fn a_replay_is_refused_at_every_edge_of_its_window() {
    for now in [NOON, NOON + 1, NOON + 30 * SECOND, NOON + 30 * SECOND + 1, UNTIL - 1, UNTIL] {
        let hand = Hand::at(NOON);
        let guard = guard(&hand);
        handled(&guard, id(1), UNTIL);
        hand.set(now);
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed), "at {now}");
    }
}

/// The headers were fresh, and then the body took its time: the claim comes when the entry may be forgotten.
#[test]
fn a_replay_whose_body_is_slow_is_refused() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    for late in [1, 2, SECOND, 5 * SECOND, 10 * MINUTE] {
        hand.set(UNTIL + late);
        // Whether another claim has cleared the entry away makes no difference.
        for other in 0..4 {
            assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Expired), "{late} ms late");
            let _ = new(&guard, id(100 * late + other), UNTIL + 20 * MINUTE);
        }
    }
}

#[test]
fn a_copy_that_is_signed_anew_extends_the_window_for_both() {
    let extended = UNTIL + 4 * MINUTE;
    for now in [NOON + 4 * MINUTE, UNTIL, UNTIL + 1, extended - 1, extended] {
        let hand = Hand::at(NOON);
        let guard = guard(&hand);
        handled(&guard, id(1), UNTIL);
        hand.set(NOON + 4 * MINUTE);
        assert!(matches!(claim(&guard, id(1), extended), Claim::Completed));
        hand.set(now);
        assert!(matches!(claim(&guard, id(1), extended), Claim::Completed), "at {now}");
        if now <= UNTIL {
            assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed), "at {now}");
        }
    }
}

#[test]
fn an_earlier_until_does_not_shorten_the_window() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    assert!(matches!(claim(&guard, id(1), UNTIL - MINUTE), Claim::Completed));
    hand.set(UNTIL);
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
}

#[test]
fn a_lease_runs_out_to_the_millisecond() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    let _dead = new(&guard, id(1), UNTIL);
    for (now, left) in [(NOON, 30_000), (NOON + 1, 29_999), (NOON + 29_999, 1), (NOON + 30_000, 0)] {
        hand.set(now);
        match claim(&guard, id(1), UNTIL) {
            Claim::InProgress { retry_after } => assert_eq!(retry_after, Duration::from_millis(left)),
            other => panic!("{other:?} at {now}"),
        }
    }
    hand.set(NOON + 30_001);
    let _ = new(&guard, id(1), UNTIL);
}

#[test]
fn a_completed_delivery_stays_so_when_its_lease_would_have_run_out() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    handled(&guard, id(1), UNTIL);
    hand.set(NOON + 30_001);
    assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
}

#[test]
fn the_last_representable_instant_is_an_until_like_any_other() {
    let hand = Hand::at(NOON);
    let guard = MemoryReplayGuard::new().clock(hand.clock()).lease(Duration::MAX);
    let lease = new(&guard, id(1), u64::MAX);
    hand.set(u64::MAX);
    assert!(matches!(claim(&guard, id(1), u64::MAX), Claim::InProgress { .. }));
    now_or_never(guard.complete(lease)).unwrap();
    assert!(matches!(claim(&guard, id(1), u64::MAX), Claim::Completed));
}

#[test]
fn what_an_old_holder_handled_is_completed_when_the_next_one_has_released_it() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(100);
    let first = new(&guard, id(0), UNTIL);
    hand.set(NOON + 31 * SECOND);
    now_or_never(guard.release(new(&guard, id(0), UNTIL))).unwrap();
    now_or_never(guard.complete(first)).unwrap();
    assert!(matches!(claim(&guard, id(0), UNTIL), Claim::Completed));
}

/// Its copies are refused as expired, whatever is remembered.
#[test]
fn what_is_completed_after_its_window_takes_no_room() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(100);
    let lease = new(&guard, id(0), NOON + MINUTE);
    hand.set(NOON + 2 * MINUTE);
    handled(&guard, id(1), UNTIL);
    now_or_never(guard.complete(lease)).unwrap();
    assert_eq!(guard.entry_count(), 1);
}

/// Nobody can claim it any more, so there is nobody to complain about.
#[test]
fn after_the_window_an_old_holder_has_lost_nothing() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(100);
    // In front of the other, so that it is still there when it has expired.
    handled(&guard, id(0), NOON + HOUR);
    let first = new(&guard, id(1), NOON + MINUTE);
    hand.set(NOON + 31 * SECOND);
    let _second = new(&guard, id(1), NOON + MINUTE);
    hand.set(NOON + 2 * MINUTE);
    handled(&guard, id(2), NOON + HOUR);
    assert_eq!(now_or_never(guard.complete(first)), Ok(()));
}

#[test]
fn errors_of_a_guard_are_equal_if_they_read_the_same() {
    assert_eq!(GuardError::unavailable("no route"), GuardError::unavailable("no route"));
    assert_ne!(GuardError::unavailable("no route"), GuardError::unavailable("refused"));
    assert_ne!(GuardError::unavailable("no route"), GuardError::LeaseLost);
}
