use twenty_webhook_core::{Claim, ReplayGuard};

use crate::{Hand, MINUTE, NOON, SECOND, claim, guard, handled, id, new, now_or_never};

const UNTIL: u64 = NOON + 5 * MINUTE;

#[test]
fn at_capacity_a_new_delivery_gets_in_and_the_oldest_goes() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(100);
    for number in 0..100 {
        handled(&guard, id(number), UNTIL + number);
    }
    for number in 100..150 {
        handled(&guard, id(number), UNTIL + number);
        assert_eq!(guard.entry_count(), 100);
    }
    for number in 50..150 {
        assert!(matches!(claim(&guard, id(number), UNTIL + number), Claim::Completed), "{number} is among the newest");
    }
    let _ = new(&guard, id(0), UNTIL);
}

#[test]
fn a_delivery_that_fails_over_and_over_pushes_nothing_out() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(10);
    for number in 1..10 {
        handled(&guard, id(number), UNTIL);
    }
    for _ in 0..1_000 {
        now_or_never(guard.release(new(&guard, id(0), UNTIL))).unwrap();
    }
    for number in 1..10 {
        assert!(matches!(claim(&guard, id(number), UNTIL), Claim::Completed), "{number} is remembered");
    }
    assert_eq!(guard.entry_count(), 10);
}

#[test]
fn a_small_capacity_is_at_least_one() {
    let hand = Hand::at(NOON);
    for capacity in [0, 1] {
        let guard = guard(&hand).capacity(capacity);
        handled(&guard, id(1), UNTIL);
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
        handled(&guard, id(2), UNTIL);
        assert!(matches!(claim(&guard, id(2), UNTIL), Claim::Completed));
        assert_eq!(guard.entry_count(), 1);
    }
}

#[test]
fn a_large_capacity_is_never_passed_and_nearly_used() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(40_000);
    for number in 0..60_000 {
        let _ = new(&guard, id(number), UNTIL);
    }
    assert!((38_000..=40_000).contains(&guard.entry_count()), "{}", guard.entry_count());
    let newest = (60_000 - 36_000..60_000).filter(|&number| matches!(claim(&guard, id(number), UNTIL), Claim::New(_)));
    assert_eq!(newest.count(), 0, "the newest are remembered");
}

#[test]
fn what_was_forgotten_at_capacity_while_it_ran_is_completed_all_the_same() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(10);
    let lease = new(&guard, id(0), UNTIL);
    for number in 1..=10 {
        handled(&guard, id(number), UNTIL);
    }
    now_or_never(guard.complete(lease)).unwrap();
    assert!(matches!(claim(&guard, id(0), UNTIL), Claim::Completed));
    assert_eq!(guard.entry_count(), 10);
}

#[test]
fn copies_take_no_room() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand);
    let lease = new(&guard, id(1), UNTIL);
    for _ in 0..10_000 {
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::InProgress { .. }));
    }
    now_or_never(guard.complete(lease)).unwrap();
    for _ in 0..10_000 {
        assert!(matches!(claim(&guard, id(1), UNTIL), Claim::Completed));
    }
    assert_eq!(guard.entry_count(), 1);
}

/// Five a second for three hours: what is held is bounded by the window, whatever became of the claims.
#[test]
fn what_has_expired_is_forgotten_as_claims_go_on() {
    let hand = Hand::at(NOON);
    let guard = guard(&hand).capacity(16_000);
    let mut most = 0;
    for number in 0..54_000 {
        let now = NOON + number * SECOND / 5;
        hand.set(now);
        // Some are late, some of clocks that are ahead, some signed anew.
        let until = now + (number * 7_919 % 10) * MINUTE;
        let lease = new(&guard, id(number), until);
        match number % 10 {
            0 => now_or_never(guard.release(lease)).unwrap(),
            1 => {}
            2 => {
                now_or_never(guard.complete(lease)).unwrap();
                assert!(matches!(claim(&guard, id(number), until + MINUTE), Claim::Completed));
            }
            _ => now_or_never(guard.complete(lease)).unwrap(),
        }
        most = most.max(guard.entry_count());
    }
    // Ten minutes at five a second, and every tenth of them extended.
    assert!(most <= 10 * 60 * 5 * 11 / 10 + 10, "{most}");
}
