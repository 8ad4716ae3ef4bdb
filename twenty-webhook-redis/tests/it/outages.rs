use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream;
use http::StatusCode;
use tokio::task::JoinSet;
use twenty_webhook_core::{GuardError, HttpHead, Rejection, ReplayGuard, Secret, Signer, WebhookConfig};
use twenty_webhook_redis::RedisReplayGuard;

use crate::proxy::{Failure, Proxy};
use crate::server::Server;
use crate::{delivery, handled, is_completed, lease, until};

const TIMEOUT: Duration = Duration::from_millis(800);

/// The guard gives up in time, and says where.
async fn gives_up(guard: &RedisReplayGuard) -> String {
    let from = Instant::now();
    let error = guard.claim(&delivery("refused", until())).await.unwrap_err();
    // Half a second for a busy machine.
    assert!(from.elapsed() < TIMEOUT + Duration::from_millis(500), "it took {:?}", from.elapsed());
    assert!(matches!(error, GuardError::Unavailable(_)));
    assert!(error.to_string().contains("Redis at 127.0.0.1:"), "{error}");
    error.to_string()
}

#[tokio::test]
async fn not_there_at_the_start() {
    let mut server = Server::not_yet_started();
    let guard = server.guard().timeout(TIMEOUT);
    assert!(gives_up(&guard).await.contains("refused"));
    server.restart();
    handled(&guard, "a").await;
}

#[tokio::test]
async fn stopped_and_restarted_empty() {
    let mut server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    handled(&guard, "a").await;
    let running = lease(guard.claim(&delivery("b", until())).await);
    let failed = lease(guard.claim(&delivery("c", until())).await);
    server.stop();
    gives_up(&guard).await;
    server.restart();
    // No delivery is lost to the connection that broke, nor to what was found out while the server was away.
    guard.complete(running).await.unwrap();
    guard.release(failed).await.unwrap();
    assert!(is_completed(&guard, "b").await, "it is told anew what was completed");
    handled(&guard, "c").await;
}

#[tokio::test]
async fn restarted_while_nobody_looked() {
    let mut server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    handled(&guard, "a").await;
    server.restart();
    handled(&guard, "b").await;
}

#[tokio::test]
async fn a_restart_shorter_than_the_timeout_is_waited_for() {
    let mut server = Server::start();
    let guard = server.guard().timeout(Duration::from_secs(5));
    handled(&guard, "a").await;
    server.stop();
    let waiting = tokio::spawn(async move {
        handled(&guard, "b").await;
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.restart();
    waiting.await.unwrap();
}

#[tokio::test]
async fn paused() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    let running = lease(guard.claim(&delivery("a", until())).await);
    server.pause();
    gives_up(&guard).await;
    gives_up(&guard).await;
    server.unpause();
    guard.complete(running).await.unwrap();
    handled(&guard, "b").await;
}

/// None waits for the others.
#[tokio::test(flavor = "multi_thread")]
async fn paused_with_a_hundred_waiting() {
    let server = Server::start();
    let guard = Arc::new(server.guard().timeout(TIMEOUT));
    handled(&guard, "a").await;
    server.pause();
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let guard = Arc::clone(&guard);
        waiting.spawn(async move { gives_up(&guard).await });
    }
    waiting.join_all().await;
    server.unpause();
    handled(&guard, "b").await;
}

#[tokio::test]
async fn asleep_for_less_than_the_timeout() {
    let server = Arc::new(Server::start());
    let guard = server.guard().timeout(Duration::from_secs(4));
    handled(&guard, "a").await;
    let asleep = Arc::clone(&server);
    let sleep = tokio::task::spawn_blocking(move || asleep.command("DEBUG SLEEP 0.5"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    handled(&guard, "b").await;
    assert_eq!(sleep.await.unwrap(), "+OK");
}

#[tokio::test]
async fn there_but_never_answering() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    gives_up(&RedisReplayGuard::new(&url).unwrap().timeout(TIMEOUT)).await;
}

#[tokio::test]
async fn out_of_memory() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    handled(&guard, "a").await;
    let (running, failed) =
        (lease(guard.claim(&delivery("b", until())).await), lease(guard.claim(&delivery("c", until())).await));
    server.command("CONFIG SET maxmemory-policy noeviction");
    server.command("CONFIG SET maxmemory 1");
    assert!(gives_up(&guard).await.contains("OOM"));
    assert!(is_completed(&guard, "a").await, "duplicates are still known");
    guard.complete(running).await.unwrap();
    guard.release(failed).await.unwrap();
    assert!(is_completed(&guard, "b").await, "what was let in can still be completed");
    server.command("CONFIG SET maxmemory 0");
    handled(&guard, "c").await;
}

#[tokio::test]
async fn too_many_clients() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    // The one that sets it is gone before the guard comes.
    server.command("CONFIG SET maxclients 1");
    let other = std::net::TcpStream::connect(server.url().trim_start_matches("redis://")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    gives_up(&guard).await;
    gives_up(&guard).await;
    drop(other);
    tokio::time::sleep(Duration::from_millis(100)).await;
    handled(&guard, "a").await;
}

#[tokio::test]
async fn a_password_that_is_right_later() {
    let server = Server::start();
    let url = server.url().replace("redis://", "redis://:late@");
    let guard = RedisReplayGuard::new(&url).unwrap().timeout(TIMEOUT);
    assert!(gives_up(&guard).await.contains("authentication failed"));
    server.command("CONFIG SET requirepass late");
    handled(&guard, "a").await;
}

/// As when the primary has become a replica, and another takes its place behind the same address.
#[tokio::test]
async fn read_only_for_a_moment() {
    let server = Server::start();
    let guard = server.guard().timeout(Duration::from_secs(5));
    handled(&guard, "a").await;
    server.command("REPLICAOF 127.0.0.1 1");
    let waiting = tokio::spawn(async move {
        handled(&guard, "b").await;
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.command("REPLICAOF NO ONE");
    waiting.await.unwrap();
}

#[tokio::test]
async fn the_answer_is_503_and_the_next_delivery_is_handled() {
    let mut server = Server::start();
    let secret = Secret::new("It's a Secret to Everybody").unwrap();
    let config = WebhookConfig::new(secret.clone()).replay_guard(server.guard().timeout(TIMEOUT));
    let deliver = async |body: &'static str| {
        let mut request = http::Request::post("/").body(()).unwrap();
        request.headers_mut().extend(Signer::new(secret.clone()).sign(body.as_bytes()));
        let chunks = pin!(stream::iter([Ok(body.into())]));
        let received = config.receive(&HttpHead::of(&request), None, chunks, tokio::time::sleep).await;
        match received.unwrap().claim(None).await {
            Ok(admission) => {
                admission.finish(StatusCode::OK).await;
                Ok(())
            }
            Err(refusal) => Err(refusal.rejection().clone()),
        }
    };
    let (one, two) = (r#"{"event":"person.created","data":{"id":1}}"#, r#"{"event":"person.created","data":{"id":2}}"#);
    assert_eq!(deliver(one).await, Ok(()));
    assert_eq!(deliver(one).await, Err(Rejection::AlreadyCompleted));
    server.stop();
    let refused = deliver(two).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "guard_unavailable"));
    server.restart();
    assert_eq!(deliver(two).await, Ok(()));
}

#[tokio::test]
async fn a_claim_is_not_lost_with_its_answer() {
    for failure in [Failure::Breaks, Failure::FallsSilent] {
        let server = Server::start();
        let proxy = Proxy::that_swallows_an_answer(&server, failure).await;
        let guard = RedisReplayGuard::new(&proxy.url()).unwrap();
        let held = lease(guard.claim(&delivery("a", until())).await);
        assert!(proxy.has_swallowed(), "the claim was made twice");
        guard.complete(held).await.unwrap();
        assert!(is_completed(&guard, "a").await);
    }
}
