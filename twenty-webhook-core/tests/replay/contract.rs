use std::time::Duration;

use twenty_webhook_core::replay_contract::{Harness, check};
use twenty_webhook_core::{InsecureFallback, MemoryReplayGuard, ReplayGuard, UnixMillis};

use crate::{ManualClock, START, fallback::Switchable, now_or_never};

impl Harness for ManualClock {
    type Guard = MemoryReplayGuard;

    fn guard(&self, lease: Duration) -> MemoryReplayGuard {
        MemoryReplayGuard::new().clock(self.to_clock()).lease(lease)
    }

    fn now(&self) -> UnixMillis {
        ManualClock::now(self)
    }

    async fn advance(&self, time: Duration) {
        self.set(self.now().saturating_add(time).as_millis());
    }
}

#[test]
fn memory_guard() {
    now_or_never(check(&ManualClock::at(START)));
}

/// A guard with a fallback: both in use, or the fallback alone.
struct WithFallback {
    clock: ManualClock,
    is_down: bool,
}

impl Harness for WithFallback {
    type Guard = InsecureFallback<Switchable, MemoryReplayGuard>;

    fn guard(&self, lease: Duration) -> Self::Guard {
        let guard = Switchable::new(self.clock.guard(lease));
        guard.set_down(self.is_down);
        guard.insecure_fallback(self.clock.guard(lease), |_| ())
    }

    fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    async fn advance(&self, time: Duration) {
        self.clock.advance(time).await;
    }
}

#[test]
fn memory_guard_with_a_fallback() {
    now_or_never(check(&WithFallback { clock: ManualClock::at(START), is_down: false }));
}

#[test]
fn fallback_while_the_shared_guard_is_down() {
    now_or_never(check(&WithFallback { clock: ManualClock::at(START), is_down: true }));
}
