use twenty_webhook_core::{Claim, ReplayGuard};

use crate::{MINUTE, ManualClock, SECOND, START, claim, guard, handled, id, new, now_or_never};

const EXPIRES_AT: u64 = START + 5 * MINUTE;

#[test]
fn at_capacity_a_new_delivery_replaces_the_oldest() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(100);
    for number in 0..100 {
        handled(&guard, id(number), EXPIRES_AT + number);
    }
    for number in 100..150 {
        handled(&guard, id(number), EXPIRES_AT + number);
        assert_eq!(guard.entry_count(), 100);
    }
    for number in 50..150 {
        assert!(
            matches!(claim(&guard, id(number), EXPIRES_AT + number), Claim::Completed),
            "{number} is among the newest"
        );
    }
    let _ = new(&guard, id(0), EXPIRES_AT);
}

#[test]
fn a_delivery_that_fails_repeatedly_evicts_no_other() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(10);
    for number in 1..10 {
        handled(&guard, id(number), EXPIRES_AT);
    }
    for _ in 0..1_000 {
        now_or_never(guard.release(new(&guard, id(0), EXPIRES_AT))).unwrap();
    }
    for number in 1..10 {
        assert!(matches!(claim(&guard, id(number), EXPIRES_AT), Claim::Completed), "{number} is remembered");
    }
    assert_eq!(guard.entry_count(), 10);
}

#[test]
fn the_capacity_is_at_least_one() {
    let clock = ManualClock::at(START);
    for capacity in [0, 1] {
        let guard = guard(&clock).capacity(capacity);
        handled(&guard, id(1), EXPIRES_AT);
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
        handled(&guard, id(2), EXPIRES_AT);
        assert!(matches!(claim(&guard, id(2), EXPIRES_AT), Claim::Completed));
        assert_eq!(guard.entry_count(), 1);
    }
}

#[test]
fn a_large_capacity_is_never_exceeded_and_nearly_used() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(40_000);
    for number in 0..60_000 {
        let _ = new(&guard, id(number), EXPIRES_AT);
    }
    assert!((38_000..=40_000).contains(&guard.entry_count()), "{}", guard.entry_count());
    let newest =
        (60_000 - 36_000..60_000).filter(|&number| matches!(claim(&guard, id(number), EXPIRES_AT), Claim::New(_)));
    assert_eq!(newest.count(), 0, "the newest are remembered");
}

#[test]
fn a_delivery_that_was_evicted_while_its_handler_ran_can_still_be_completed() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(10);
    let lease = new(&guard, id(0), EXPIRES_AT);
    for number in 1..=10 {
        handled(&guard, id(number), EXPIRES_AT);
    }
    now_or_never(guard.complete(lease)).unwrap();
    assert!(matches!(claim(&guard, id(0), EXPIRES_AT), Claim::Completed));
    assert_eq!(guard.entry_count(), 10);
}

#[test]
fn copies_take_no_capacity() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock);
    let lease = new(&guard, id(1), EXPIRES_AT);
    for _ in 0..10_000 {
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::InProgress { .. }));
    }
    now_or_never(guard.complete(lease)).unwrap();
    for _ in 0..10_000 {
        assert!(matches!(claim(&guard, id(1), EXPIRES_AT), Claim::Completed));
    }
    assert_eq!(guard.entry_count(), 1);
}

/// Five deliveries per second for three hours: the time window limits the number of entries, however the claims end.
#[test]
fn claims_remove_expired_entries() {
    let clock = ManualClock::at(START);
    let guard = guard(&clock).capacity(16_000);
    let mut most = 0;
    for number in 0..54_000 {
        let now = START + number * SECOND / 5;
        clock.set(now);
        // Some are late, some come from clocks that are ahead, some are signed again.
        let expires_at = now + (number * 7_919 % 10) * MINUTE;
        let lease = new(&guard, id(number), expires_at);
        match number % 10 {
            0 => now_or_never(guard.release(lease)).unwrap(),
            1 => {}
            2 => {
                now_or_never(guard.complete(lease)).unwrap();
                assert!(matches!(claim(&guard, id(number), expires_at + MINUTE), Claim::Completed));
            }
            _ => now_or_never(guard.complete(lease)).unwrap(),
        }
        most = most.max(guard.entry_count());
    }
    // Ten minutes at five per second, and every tenth entry extended.
    assert!(most <= 10 * 60 * 5 * 11 / 10 + 10, "{most}");
}
