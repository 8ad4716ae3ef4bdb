use std::collections::HashMap;

use proptest::prelude::*;
use twenty_webhook_core::{Claim, GuardError, MemoryLease, ReplayGuard};

use crate::{Hand, MINUTE, NOON, claim, guard, id, now_or_never};

const LEASE: u64 = 30_000;

/// What the guard should be, but for its memory: it never forgets.
#[derive(Default)]
struct Model {
    now: u64,
    entries: HashMap<u64, Entry>,
    claims: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    until: u64,
    running: Option<Running>,
}

#[derive(Clone, Copy)]
struct Running {
    claim: u64,
    /// 0 when it was released.
    until: u64,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    New,
    InProgress(u64),
    Completed,
    Expired,
}

impl Model {
    fn claim(&mut self, id: u64, until: u64, now: u64) -> Verdict {
        let now = now.max(self.now);
        if until < now {
            return Verdict::Expired;
        }
        self.now = now;
        let live = self.entries.get_mut(&id).filter(|entry| entry.live(now));
        let verdict = match live.as_ref().map(|entry| entry.running) {
            Some(None) => Verdict::Completed,
            Some(Some(running)) if now <= running.until => Verdict::InProgress(running.until - now),
            _ => Verdict::New,
        };
        self.claims += 1;
        let running = Some(Running { claim: self.claims, until: now + LEASE });
        match (live, &verdict) {
            (Some(entry), Verdict::New) => *entry = Entry { until: entry.until.max(until), running },
            (Some(entry), _) => entry.until = entry.until.max(until),
            (None, _) => {
                self.entries.insert(id, Entry { until, running });
            }
        }
        verdict
    }

    fn complete(&mut self, id: u64, claim: u64, until: u64) -> Result<(), GuardError> {
        match self.entries.get_mut(&id).filter(|entry| entry.live(self.now)) {
            Some(Entry { running: Some(running), .. }) if running.claim != claim && running.until != 0 => {
                return Err(GuardError::LeaseLost);
            }
            Some(entry) => entry.running = None,
            None if self.now <= until => {
                self.entries.insert(id, Entry { until, running: None });
            }
            None => {}
        }
        Ok(())
    }

    fn release(&mut self, id: u64, claim: u64) {
        if let Some(running) = self.entries.get_mut(&id).and_then(|entry| entry.running.as_mut())
            && running.claim == claim
        {
            running.until = 0;
        }
    }
}

impl Entry {
    fn live(&self, now: u64) -> bool {
        now <= self.until || self.running.is_some_and(|running| now <= running.until)
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Sets the clock, forward or back.
    Clock(i64),
    /// Claims one of a few ids, with an `until` around now.
    Claim {
        id: u64,
        until: i64,
    },
    /// Settles one of the leases that are held.
    Complete(prop::sample::Index),
    Release(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let minutes = |range: std::ops::RangeInclusive<i64>| range.prop_map(|minutes| minutes * 60_000);
    let clock = prop_oneof![
        4 => 0..40_000_i64,
        2 => minutes(0..=6),
        1 => -40_000..0_i64,
        1 => minutes(-60..=60),
    ];
    // The edges are where it goes wrong, so they come up often.
    let until = prop_oneof![Just(0), Just(-1), Just(1), -2_000..600_000_i64, minutes(0..=10)];
    let step = prop_oneof![
        2 => clock.prop_map(Step::Clock),
        5 => (0..6_u64, until).prop_map(|(id, until)| Step::Claim { id, until }),
        2 => any::<prop::sample::Index>().prop_map(Step::Complete),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Forgetting is never seen from outside.
    #[test]
    fn it_answers_like_a_guard_that_never_forgets(steps in steps()) {
        let hand = Hand::at(NOON);
        // One part, so that the model's time is its time.
        let guard = guard(&hand).capacity(1_000);
        let mut model = Model::default();
        let mut held: Vec<(u64, u64, u64, MemoryLease)> = Vec::new();
        for step in steps {
            match step {
                Step::Clock(by) => hand.set(hand.now().as_millis().saturating_add_signed(by).max(MINUTE)),
                Step::Claim { id: number, until } => {
                    let now = hand.now().as_millis();
                    let until = now.saturating_add_signed(until);
                    let verdict = match claim(&guard, id(number), until) {
                        Claim::New(lease) => {
                            held.push((number, model.claims + 1, until, lease));
                            Verdict::New
                        }
                        Claim::InProgress { retry_after } =>
                            Verdict::InProgress(u64::try_from(retry_after.as_millis()).unwrap()),
                        Claim::Completed => Verdict::Completed,
                        Claim::Expired => Verdict::Expired,
                    };
                    prop_assert_eq!(verdict, model.claim(number, until, now));
                }
                Step::Complete(which) if !held.is_empty() => {
                    let (number, claim, until, lease) = held.swap_remove(which.index(held.len()));
                    let expected = model.complete(number, claim, until);
                    prop_assert_eq!(now_or_never(guard.complete(lease)), expected);
                }
                Step::Release(which) if !held.is_empty() => {
                    let (number, claim, _, lease) = held.swap_remove(which.index(held.len()));
                    model.release(number, claim);
                    now_or_never(guard.release(lease)).unwrap();
                }
                Step::Complete(_) | Step::Release(_) => {}
            }
        }
    }
}
