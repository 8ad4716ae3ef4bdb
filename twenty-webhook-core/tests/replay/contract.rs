use std::time::Duration;

use twenty_webhook_core::replay_contract::{Harness, check};
use twenty_webhook_core::{InsecureFallback, MemoryReplayGuard, ReplayGuard, UnixMillis};

use crate::{Hand, NOON, fallback::Switched, now_or_never};

impl Harness for Hand {
    type Guard = MemoryReplayGuard;

    fn guard(&self, lease: Duration) -> MemoryReplayGuard {
        MemoryReplayGuard::new().clock(self.clock()).lease(lease)
    }

    fn now(&self) -> UnixMillis {
        Hand::now(self)
    }

    async fn advance(&self, time: Duration) {
        self.set(self.now().saturating_add(time).as_millis());
    }
}

#[test]
fn memory() {
    now_or_never(check(&Hand::at(NOON)));
}

/// Both guards at work, or the fallback alone.
struct Two {
    hand: Hand,
    down: bool,
}

impl Harness for Two {
    type Guard = InsecureFallback<Switched, MemoryReplayGuard>;

    fn guard(&self, lease: Duration) -> Self::Guard {
        let guard = Switched::new(self.hand.guard(lease));
        guard.set_down(self.down);
        guard.insecure_fallback(self.hand.guard(lease), |_| ())
    }

    fn now(&self) -> UnixMillis {
        self.hand.now()
    }

    async fn advance(&self, time: Duration) {
        self.hand.advance(time).await;
    }
}

#[test]
fn memory_beside_memory() {
    now_or_never(check(&Two { hand: Hand::at(NOON), down: false }));
}

#[test]
fn memory_while_the_shared_guard_is_down() {
    now_or_never(check(&Two { hand: Hand::at(NOON), down: true }));
}
