use std::time::Duration;

use twenty_webhook_core::{Claim, GuardError, MemoryReplayGuard, ReplayGuard};

use crate::{HOUR, MINUTE, ManualClock, SECOND, START, claim, guard, handled, id, new, now_or_never};

const EXPIRES_AT: u64 = START + 5 * MINUTE;

#[test]
fn a_replay_is_rejected_at_every_edge_of_its_window() {
    for now in [START, START + 1, START + 30 * SECOND, START + 30 * SECOND + 1, EXPIRES_AT - 1, EXPIRES_AT] {
        let clock = ManualClock::at(START);
        let guard = guard(&clock);
        handled(&guard, id(1), EXPIRES_AT);
        clock.set(now);
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed), "at {now}");
    }
}

/// The headers arrive in time and the body slowly: the claim comes when the guard may have removed the entry.
#[test]
fn a_replay_whose_body_is_slow_is_rejected() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    for late in [1, 2, SECOND, 5 * SECOND, 10 * MINUTE] {
        clock.set(EXPIRES_AT + late);
        // It makes no difference whether another claim has removed the entry.
        for other in 0..4 {
            assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Expired), "{late} ms late");
            let _ = new(&guard, id(100 * late + other), EXPIRES_AT + 20 * MINUTE);
        }
    }
}

#[test]
fn a_copy_that_is_signed_again_extends_the_window_for_both() {
    let extended = EXPIRES_AT + 4 * MINUTE;
    for now in [START + 4 * MINUTE, EXPIRES_AT, EXPIRES_AT + 1, extended - 1, extended] {
        let clock = ManualClock::at(START);
        let guard = guard(&clock);
        handled(&guard, id(1), EXPIRES_AT);
        clock.set(START + 4 * MINUTE);
        assert!(matches!(claim(&guard, id(1), extended), Claim::Completed));
        clock.set(now);
        assert!(matches!(claim(&guard, id(1), extended), Claim::Completed), "at {now}");
        if now <= EXPIRES_AT {
            assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed), "at {now}");
        }
    }
}

#[test]
fn an_earlier_expiry_does_not_shorten_the_window() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT - MINUTE), Claim::Completed));
    clock.set(EXPIRES_AT);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
}

#[test]
fn a_lease_expires_to_the_millisecond() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    let _dead = new(&guard, id(1), EXPIRES_AT);
    for (now, left) in [(START, 30_000), (START + 1, 29_999), (START + 29_999, 1), (START + 30_000, 0)] {
        clock.set(now);
        match claim(&guard, id(1), EXPIRES_AT) {
            Claim::InProgress { retry_after } => assert_eq!(retry_after, Duration::from_millis(left)),
            other => panic!("{other:?} at {now}"),
        }
    }
    clock.set(START + 30_001);
    let _ = new(&guard, id(1), EXPIRES_AT);
}

#[test]
fn a_completed_delivery_stays_completed_after_its_lease_would_have_expired() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    handled(&guard, id(1), EXPIRES_AT);
    clock.set(START + 30_001);
    assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
}

#[test]
fn the_last_representable_time_is_an_ordinary_expiry() {
    let clock = ManualClock::at(START);
    let guard = MemoryReplayGuard::new().clock(clock.to_clock()).lease(Duration::MAX);
    let lease = new(&guard, id(1), u64::MAX);
    clock.set(u64::MAX);
    assert!(matches!(claim(&guard, id(1), u64::MAX), Claim::InProgress { .. }));
    now_or_never(guard.complete(lease)).unwrap();
    assert!(matches!(claim(&guard, id(1), u64::MAX), Claim::Completed));
}

#[test]
fn the_holder_of_an_expired_lease_can_complete_after_the_next_holder_released() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(100);
    let first = new(&guard, id(0), EXPIRES_AT);
    clock.set(START + 31 * SECOND);
    now_or_never(guard.release(new(&guard, id(0), EXPIRES_AT))).unwrap();
    now_or_never(guard.complete(first)).unwrap();
    assert!(matches!(claim(&guard, id(0), EXPIRES_AT), Claim::Completed));
}

/// Copies are rejected as expired, so the guard need not remember it.
#[test]
fn a_delivery_completed_after_its_window_takes_no_capacity() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(100);
    let lease = new(&guard, id(0), START + MINUTE);
    clock.set(START + 2 * MINUTE);
    handled(&guard, id(1), EXPIRES_AT);
    now_or_never(guard.complete(lease)).unwrap();
    assert_eq!(guard.entry_count(), 1);
}

/// After the window no claim succeeds, so no other holder can exist.
#[test]
fn after_the_window_the_holder_of_an_expired_lease_gets_no_error() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(100);
    // First in the queue, so that the entry behind it is still there after it expired.
    handled(&guard, id(0), START + HOUR);
    let first = new(&guard, id(1), START + MINUTE);
    clock.set(START + 31 * SECOND);
    let _second = new(&guard, id(1), START + MINUTE);
    clock.set(START + 2 * MINUTE);
    handled(&guard, id(2), START + HOUR);
    assert_eq!(now_or_never(guard.complete(first)), Ok(()));
}

#[test]
fn guard_errors_with_the_same_text_are_equal() {
    assert_eq!(GuardError::unavailable("no route"), GuardError::unavailable("no route"));
    assert_ne!(GuardError::unavailable("no route"), GuardError::unavailable("refused"));
    assert_ne!(GuardError::unavailable("no route"), GuardError::LeaseLost);
}
