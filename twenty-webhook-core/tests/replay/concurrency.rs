use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use twenty_webhook_core::{Claim, MemoryLease, MemoryReplayGuard, ReplayGuard};

use crate::{MINUTE, ManualClock, START, claim, guard, id, now_or_never};

const EXPIRES_AT: u64 = START + 5 * MINUTE;

/// Claims from 8 threads at once, 125 times each. Returns the number of new claims.
fn race(guard: &MemoryReplayGuard, number: u64, then: impl Fn(&MemoryReplayGuard, Claim<MemoryLease>) + Sync) -> usize {
    let (start, new_count) = (Barrier::new(8), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..125 {
                    let claim = claim(guard, id(number), EXPIRES_AT);
                    new_count.fetch_add(usize::from(matches!(claim, Claim::New(_))), SeqCst);
                    then(guard, claim);
                }
            });
        }
    });
    new_count.into_inner()
}

#[test]
fn of_a_thousand_concurrent_claims_exactly_one_is_new() {
    let guard = guard(&ManualClock::at(START));
    for number in 0..100 {
        assert_eq!(race(&guard, number, |_, _| ()), 1);
    }
}

#[test]
fn of_a_thousand_concurrent_copies_one_is_handled() {
    let guard = guard(&ManualClock::at(START));
    let complete = |guard: &MemoryReplayGuard, claim| {
        if let Claim::New(lease) = claim {
            now_or_never(guard.complete(lease)).unwrap();
        }
    };
    for number in 0..100 {
        assert_eq!(race(&guard, number, complete), 1);
    }
}

#[test]
fn failing_handlers_never_run_at_the_same_time() {
    let guard = guard(&ManualClock::at(START));
    let running = AtomicUsize::new(0);
    let fail = |guard: &MemoryReplayGuard, claim| {
        if let Claim::New(lease) = claim {
            assert_eq!(running.fetch_add(1, SeqCst), 0);
            running.fetch_sub(1, SeqCst);
            now_or_never(guard.release(lease)).unwrap();
        }
    };
    for number in 0..100 {
        assert!(race(&guard, number, fail) >= 1);
    }
}
