use std::time::Duration;

use twenty_webhook_core::{Claim, Clock, ReplayGuard, UnixMillis};
use twenty_webhook_redis::RedisReplayGuard;

use crate::server::Server;
use crate::{delivery, expires_at, handled, id, is_completed, lease};

const MINUTE: u64 = 60_000;

fn in_minutes(minutes: u64) -> UnixMillis {
    Clock::system().now().saturating_add(Duration::from_millis(minutes * MINUTE))
}

/// The time to live of a delivery's key, in minutes. Negative if it has none.
fn time_to_live(server: &Server, case: &str) -> i64 {
    let millis = server.number(&format!("PTTL twenty-webhook:{}", id(case)));
    if millis < 0 { millis } else { (millis + 30_000) / 60_000 }
}

#[tokio::test]
async fn an_entry_lives_a_minute_longer_than_its_signature() {
    let server = Server::start();
    let guard = server.guard();
    let running = lease(guard.claim(&delivery("a", in_minutes(5))).await);
    assert_eq!(time_to_live(&server, "a"), 6);
    guard.complete(running).await.unwrap();
    assert_eq!(time_to_live(&server, "a"), 6);
    let _ = guard.claim(&delivery("a", in_minutes(10))).await.unwrap();
    assert_eq!(time_to_live(&server, "a"), 11);
    let _ = guard.claim(&delivery("a", in_minutes(7))).await.unwrap();
    assert_eq!(time_to_live(&server, "a"), 11, "an earlier `expires_at` does not shorten it");
}

#[tokio::test]
async fn an_entry_lives_as_long_as_its_lease() {
    let server = Server::start();
    let guard = server.guard().lease(Duration::from_secs(20 * 60));
    let running = lease(guard.claim(&delivery("a", in_minutes(5))).await);
    assert_eq!(time_to_live(&server, "a"), 21);
    let _ = guard.claim(&delivery("a", in_minutes(30))).await.unwrap();
    assert_eq!(time_to_live(&server, "a"), 31, "a newly signed copy extends it while the handler runs");
    guard.release(running).await.unwrap();
    assert_eq!(time_to_live(&server, "a"), 31, "after a release, any copy may still arrive");
}

#[tokio::test]
async fn every_entry_expires() {
    let server = Server::start();
    let guard = server.guard().lease(Duration::MAX);
    let last = UnixMillis::from_millis(u64::MAX);
    let running = lease(guard.claim(&delivery("a", last)).await);
    assert!(time_to_live(&server, "a") > 0);
    assert!(matches!(guard.claim(&delivery("a", last)).await, Ok(Claim::InProgress { .. })));
    guard.complete(running).await.unwrap();
    assert!(time_to_live(&server, "a") > 0);
    assert!(matches!(guard.claim(&delivery("a", last)).await, Ok(Claim::Completed)));
}

/// The guard uses the server's clock, so a receiver whose clock is slow does not accept an expired delivery.
#[tokio::test]
async fn an_expired_delivery_is_rejected_with_or_without_an_entry() {
    let server = Server::start();
    let guard = server.guard();
    let soon = Clock::system().now().saturating_add(Duration::from_millis(500));
    let running = lease(guard.claim(&delivery("a", soon)).await);
    guard.complete(running).await.unwrap();
    tokio::time::sleep(Duration::from_millis(501)).await;
    assert!(matches!(guard.claim(&delivery("a", soon)).await, Ok(Claim::Expired)));
    server.command("FLUSHALL");
    assert!(matches!(guard.claim(&delivery("a", soon)).await, Ok(Claim::Expired)));
    assert_eq!(server.number("DBSIZE"), 0);
}

#[tokio::test]
async fn prefixes_separate_webhooks() {
    let server = Server::start();
    let (sales, support) = (server.guard().prefix("sales:"), server.guard().prefix("support:"));
    handled(&sales, "a").await;
    handled(&support, "a").await;
    assert!(is_completed(&sales, "a").await);
    assert_eq!(server.number(&format!("EXISTS sales:{} support:{}", id("a"), id("a"))), 2);
    assert_eq!(server.number("DBSIZE"), 2);
}

#[tokio::test]
async fn debug_and_errors_do_not_show_the_password() {
    let guard = RedisReplayGuard::new("redis://me:hunter2@127.0.0.1:1/0").unwrap();
    let error = guard.claim(&delivery("a", expires_at())).await.unwrap_err();
    for text in [format!("{guard:?}"), format!("{error:?}"), error.to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("127.0.0.1:1"), "{text}");
    }
    for url in ["hunter2", "http://me:hunter2@host", "redis://me:hunter2@host:x", "redis://me:hunter2@host/x"] {
        let error = RedisReplayGuard::new(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_tls_url_without_the_feature_is_an_error() {
    assert!(RedisReplayGuard::new("rediss://localhost").unwrap_err().to_string().contains("TLS"));
}

/// The server has no TLS, so the claim fails. But there is a crypto provider, so nothing panics.
#[cfg(feature = "tls")]
#[tokio::test]
async fn a_tls_url_with_the_feature_connects_with_tls() {
    let server = Server::start();
    let guard = RedisReplayGuard::new(&server.url().replace("redis:", "rediss:")).unwrap();
    assert!(guard.claim(&delivery("a", expires_at())).await.is_err());
}
