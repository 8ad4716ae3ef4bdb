use std::time::Duration;

use twenty_webhook_core::{Claim, Clock, ReplayGuard, UnixMillis};
use twenty_webhook_redis::RedisReplayGuard;

use crate::server::Server;
use crate::{delivery, handled, id, is_completed, lease, until};

const MINUTE: u64 = 60_000;

fn in_minutes(minutes: u64) -> UnixMillis {
    Clock::system().now().saturating_add(Duration::from_millis(minutes * MINUTE))
}

/// How long the one key lives on, to the nearest minute.
fn life(server: &Server, case: &str) -> i64 {
    let left = server.number(&format!("PTTL twenty-webhook:{}", id(case)));
    if left < 0 { left } else { (left + 30_000) / 60_000 }
}

#[tokio::test]
async fn an_entry_lives_until_its_signature_is_no_longer_fresh_and_a_minute_more() {
    let server = Server::start();
    let guard = server.guard();
    let running = lease(guard.claim(&delivery("a", in_minutes(5))).await);
    assert_eq!(life(&server, "a"), 6);
    guard.complete(running).await.unwrap();
    assert_eq!(life(&server, "a"), 6);
    let _ = guard.claim(&delivery("a", in_minutes(10))).await.unwrap();
    assert_eq!(life(&server, "a"), 11);
    let _ = guard.claim(&delivery("a", in_minutes(7))).await.unwrap();
    assert_eq!(life(&server, "a"), 11, "an earlier `until` takes nothing away");
}

#[tokio::test]
async fn an_entry_lives_for_as_long_as_its_lease() {
    let server = Server::start();
    let guard = server.guard().lease(Duration::from_secs(20 * 60));
    let running = lease(guard.claim(&delivery("a", in_minutes(5))).await);
    assert_eq!(life(&server, "a"), 21);
    let _ = guard.claim(&delivery("a", in_minutes(30))).await.unwrap();
    assert_eq!(life(&server, "a"), 31, "a copy that is signed anew extends it while it runs");
    guard.release(running).await.unwrap();
    assert_eq!(life(&server, "a"), 31, "what was released may come again as any of its copies");
}

#[tokio::test]
async fn no_entry_lives_for_ever() {
    let server = Server::start();
    let guard = server.guard().lease(Duration::MAX);
    let last = UnixMillis::from_millis(u64::MAX);
    let running = lease(guard.claim(&delivery("a", last)).await);
    assert!(life(&server, "a") > 0);
    assert!(matches!(guard.claim(&delivery("a", last)).await, Ok(Claim::InProgress { .. })));
    guard.complete(running).await.unwrap();
    assert!(life(&server, "a") > 0);
    assert!(matches!(guard.claim(&delivery("a", last)).await, Ok(Claim::Completed)));
}

/// The claim is judged by the server's clock, the same for all receivers: one that is behind lets nothing in again.
#[tokio::test]
async fn what_is_no_longer_fresh_is_refused_whether_it_is_remembered_or_not() {
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
async fn prefixes_keep_webhooks_apart() {
    let server = Server::start();
    let (sales, support) = (server.guard().prefix("sales:"), server.guard().prefix("support:"));
    handled(&sales, "a").await;
    handled(&support, "a").await;
    assert!(is_completed(&sales, "a").await);
    assert_eq!(server.number(&format!("EXISTS sales:{} support:{}", id("a"), id("a"))), 2);
    assert_eq!(server.number("DBSIZE"), 2);
}

#[tokio::test]
async fn nothing_printed_holds_the_password() {
    let guard = RedisReplayGuard::new("redis://me:hunter2@127.0.0.1:1/0").unwrap();
    let error = guard.claim(&delivery("a", until())).await.unwrap_err();
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
fn tls_without_the_feature_is_told_at_once() {
    assert!(RedisReplayGuard::new("rediss://localhost").unwrap_err().to_string().contains("TLS"));
}

/// The server speaks no TLS, so this is refused; but the provider is there, and nothing panics.
#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_with_the_feature_is_spoken() {
    let server = Server::start();
    let guard = RedisReplayGuard::new(&server.url().replace("redis:", "rediss:")).unwrap();
    assert!(guard.claim(&delivery("a", until())).await.is_err());
}
