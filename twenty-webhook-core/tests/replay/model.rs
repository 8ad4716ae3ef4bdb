use std::collections::HashMap;

use proptest::prelude::*;
use twenty_webhook_core::{Claim, GuardError, MemoryLease, ReplayGuard};

use crate::{MINUTE, ManualClock, START, claim, guard, id, now_or_never};

const LEASE: u64 = 30_000;

/// The guard as it should behave, except that it never forgets.
#[derive(Default)]
struct Model {
    now: u64,
    entries: HashMap<u64, Entry>,
    claims: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    expires_at: u64,
    /// `None` if the delivery was completed.
    running: Option<Running>,
}

#[derive(Clone, Copy)]
struct Running {
    claim: u64,
    /// When the lease expires; 0 after it was released.
    expires_at: u64,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    New,
    InProgress(u64),
    Completed,
    Expired,
}

impl Model {
    fn claim(&mut self, id: u64, expires_at: u64, now: u64) -> Verdict {
        let now = now.max(self.now);
        if expires_at < now {
            return Verdict::Expired;
        }
        self.now = now;
        let live = self.entries.get_mut(&id).filter(|entry| entry.is_live(now));
        let verdict = match live.as_ref().map(|entry| entry.running) {
            Some(None) => Verdict::Completed,
            Some(Some(running)) if now <= running.expires_at => Verdict::InProgress(running.expires_at - now),
            _ => Verdict::New,
        };
        self.claims += 1;
        let running = Some(Running { claim: self.claims, expires_at: now + LEASE });
        match (live, &verdict) {
            (Some(entry), Verdict::New) => *entry = Entry { expires_at: entry.expires_at.max(expires_at), running },
            (Some(entry), _) => entry.expires_at = entry.expires_at.max(expires_at),
            (None, _) => {
                self.entries.insert(id, Entry { expires_at, running });
            }
        }
        verdict
    }

    fn complete(&mut self, id: u64, claim: u64, expires_at: u64) -> Result<(), GuardError> {
        match self.entries.get_mut(&id).filter(|entry| entry.is_live(self.now)) {
            Some(Entry { running: Some(running), .. }) if running.claim != claim && running.expires_at != 0 => {
                return Err(GuardError::LeaseLost);
            }
            // A lease completes once, so it was another one.
            Some(Entry { running: None, .. }) => return Err(GuardError::LeaseLost),
            Some(entry) => entry.running = None,
            None if self.now <= expires_at => {
                self.entries.insert(id, Entry { expires_at, running: None });
            }
            None => {}
        }
        Ok(())
    }

    fn release(&mut self, id: u64, claim: u64) {
        if let Some(running) = self.entries.get_mut(&id).and_then(|entry| entry.running.as_mut())
            && running.claim == claim
        {
            running.expires_at = 0;
        }
    }
}

impl Entry {
    fn is_live(&self, now: u64) -> bool {
        now <= self.expires_at || self.running.is_some_and(|running| now <= running.expires_at)
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Sets the clock, forward or back.
    Clock(i64),
    /// Claims one of a few ids, which expires this many milliseconds from now.
    Claim { id: u64, expires_in: i64 },
    /// Completes one of the open leases.
    Complete(prop::sample::Index),
    /// Releases one of the open leases.
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
    // Errors are likely at the edges, so the edges are frequent.
    let expires_in = prop_oneof![Just(0), Just(-1), Just(1), -2_000..600_000_i64, minutes(0..=10)];
    let step = prop_oneof![
        2 => clock.prop_map(Step::Clock),
        5 => (0..6_u64, expires_in).prop_map(|(id, expires_in)| Step::Claim { id, expires_in }),
        2 => any::<prop::sample::Index>().prop_map(Step::Complete),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// That the guard forgets is never visible from outside.
    #[test]
    fn the_guard_answers_like_one_that_never_forgets(steps in steps()) {
        let clock = ManualClock::at(START);
        // One shard, so that the guard has one time, as the model has.
        let guard = guard(&clock).capacity(1_000);
        let mut model = Model::default();
        let mut leases: Vec<(u64, u64, u64, MemoryLease)> = Vec::new();
        for step in steps {
            match step {
                Step::Clock(by) => clock.set(clock.now().as_millis().saturating_add_signed(by).max(MINUTE)),
                Step::Claim { id: number, expires_in } => {
                    let now = clock.now().as_millis();
                    let expires_at = now.saturating_add_signed(expires_in);
                    let verdict = match claim(&guard, id(number), expires_at) {
                        Claim::New(lease) => {
                            leases.push((number, model.claims + 1, expires_at, lease));
                            Verdict::New
                        }
                        Claim::InProgress { retry_after } =>
                            Verdict::InProgress(u64::try_from(retry_after.as_millis()).unwrap()),
                        Claim::Completed => Verdict::Completed,
                        Claim::Expired => Verdict::Expired,
                    };
                    prop_assert_eq!(verdict, model.claim(number, expires_at, now));
                }
                Step::Complete(which) if !leases.is_empty() => {
                    let (number, claim, expires_at, lease) = leases.swap_remove(which.index(leases.len()));
                    let expected = model.complete(number, claim, expires_at);
                    prop_assert_eq!(now_or_never(guard.complete(lease)), expected);
                }
                Step::Release(which) if !leases.is_empty() => {
                    let (number, claim, _, lease) = leases.swap_remove(which.index(leases.len()));
                    model.release(number, claim);
                    now_or_never(guard.release(lease)).unwrap();
                }
                Step::Complete(_) | Step::Release(_) => {}
            }
        }
    }
}
