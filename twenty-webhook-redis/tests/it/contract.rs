use std::time::Duration;

use twenty_webhook_core::replay_contract::{Harness, check};
use twenty_webhook_core::{Clock, InsecureFallback, MemoryReplayGuard, ReplayGuard, UnixMillis};
use twenty_webhook_redis::RedisReplayGuard;

use crate::server::Server;

/// Redis has its own clock, so `pass` has to wait.
impl Harness for Server {
    type Guard = RedisReplayGuard;

    fn guard(&self, lease: Duration) -> RedisReplayGuard {
        Server::guard(self).lease(lease)
    }

    fn now(&self) -> UnixMillis {
        Clock::system().now()
    }

    async fn advance(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[tokio::test]
async fn redis() {
    check(&Server::start()).await;
}

struct WithFallback(Server);

impl Harness for WithFallback {
    type Guard = InsecureFallback<RedisReplayGuard, MemoryReplayGuard>;

    fn guard(&self, lease: Duration) -> Self::Guard {
        self.0.guard().lease(lease).insecure_fallback(MemoryReplayGuard::new().lease(lease), |_| ())
    }

    fn now(&self) -> UnixMillis {
        Harness::now(&self.0)
    }

    async fn advance(&self, time: Duration) {
        self.0.advance(time).await;
    }
}

#[tokio::test]
async fn redis_with_a_fallback_in_memory() {
    check(&WithFallback(Server::start())).await;
}
