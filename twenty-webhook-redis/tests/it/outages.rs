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
use crate::{delivery, expires_at, handled, is_completed, lease};

const TIMEOUT: Duration = Duration::from_millis(800);

/// Asserts that a claim fails in time, and that the error contains the address. Returns its text.
async fn gives_up(guard: &RedisReplayGuard) -> String {
    let started = Instant::now();
    let error = guard.claim(&delivery("refused", expires_at())).await.unwrap_err();
    // Half a second more, for a busy machine.
    assert!(started.elapsed() < TIMEOUT + Duration::from_millis(500), "it took {:?}", started.elapsed());
    assert!(matches!(error, GuardError::Unavailable(_)));
    assert!(error.to_string().contains("Redis at 127.0.0.1:"), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_starts_later() {
    let mut server = Server::not_yet_started();
    let guard = server.guard().timeout(TIMEOUT);
    assert!(gives_up(&guard).await.contains("refused"));
    server.restart();
    handled(&guard, "a").await;
}

#[tokio::test]
async fn a_server_that_restarts_without_its_data() {
    let mut server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    handled(&guard, "a").await;
    let running = lease(guard.claim(&delivery("b", expires_at())).await);
    let failed = lease(guard.claim(&delivery("c", expires_at())).await);
    server.stop();
    gives_up(&guard).await;
    server.restart();
    // The broken connection loses no delivery, nor does the outage.
    guard.complete(running).await.unwrap();
    guard.release(failed).await.unwrap();
    assert!(is_completed(&guard, "b").await, "the server learns again what was completed");
    handled(&guard, "c").await;
}

#[tokio::test]
async fn a_server_that_restarts_between_two_calls() {
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
async fn a_server_that_is_paused() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    let running = lease(guard.claim(&delivery("a", expires_at())).await);
    server.pause();
    gives_up(&guard).await;
    gives_up(&guard).await;
    server.unpause();
    guard.complete(running).await.unwrap();
    handled(&guard, "b").await;
}

/// The calls time out together, not one after another.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_to_a_paused_server_time_out_together() {
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
async fn a_server_that_blocks_for_less_than_the_timeout() {
    let server = Arc::new(Server::start());
    let guard = server.guard().timeout(Duration::from_secs(4));
    handled(&guard, "a").await;
    let blocked = Arc::clone(&server);
    let sleep = tokio::task::spawn_blocking(move || blocked.command("DEBUG SLEEP 0.5"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    handled(&guard, "b").await;
    assert_eq!(sleep.await.unwrap(), "+OK");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    gives_up(&RedisReplayGuard::new(&url).unwrap().timeout(TIMEOUT)).await;
}

#[tokio::test]
async fn a_server_out_of_memory_still_completes_and_releases() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    handled(&guard, "a").await;
    let (running, failed) = (
        lease(guard.claim(&delivery("b", expires_at())).await),
        lease(guard.claim(&delivery("c", expires_at())).await),
    );
    server.command("CONFIG SET maxmemory-policy noeviction");
    server.command("CONFIG SET maxmemory 1");
    assert!(gives_up(&guard).await.contains("OOM"));
    assert!(is_completed(&guard, "a").await, "duplicates are still known");
    guard.complete(running).await.unwrap();
    guard.release(failed).await.unwrap();
    assert!(is_completed(&guard, "b").await, "a running delivery can still be completed");
    server.command("CONFIG SET maxmemory 0");
    handled(&guard, "c").await;
}

#[tokio::test]
async fn too_many_clients() {
    let server = Server::start();
    let guard = server.guard().timeout(TIMEOUT);
    // This command's own connection closes before the guard connects.
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
async fn a_password_that_becomes_right_later() {
    let server = Server::start();
    let url = server.url().replace("redis://", "redis://:late@");
    let guard = RedisReplayGuard::new(&url).unwrap().timeout(TIMEOUT);
    assert!(gives_up(&guard).await.contains("authentication failed"));
    server.command("CONFIG SET requirepass late");
    handled(&guard, "a").await;
}

/// As in a failover, when the primary behind the address is a replica for a short time.
#[tokio::test]
async fn a_server_that_is_read_only_for_less_than_the_timeout() {
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

/// As in a failover, before the first replica has connected to the new primary.
#[tokio::test]
async fn a_server_that_lacks_replicas_for_less_than_the_timeout() {
    let server = Server::start();
    let guard = server.guard().timeout(Duration::from_secs(5));
    handled(&guard, "a").await;
    server.command("CONFIG SET min-replicas-to-write 1");
    let waiting = tokio::spawn(async move {
        handled(&guard, "b").await;
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.command("CONFIG SET min-replicas-to-write 0");
    waiting.await.unwrap();
}

/// Redis 5 and 6 answer a write in a script with `ERR`, and the reason in the text.
#[tokio::test]
async fn a_temporary_error_is_retried_whatever_its_code() {
    const TEMPORARY: [&str; 7] = [
        "-ERR Error running script (call to f_4e6d): @user_script:18: @user_script: 18: -READONLY You can't write against a read only replica. ",
        "-ERR Error running script (call to f_4e6d): @user_script:18: @user_script: 18: -NOREPLICAS Not enough good replicas to write. ",
        "-READONLY You can't write against a read only replica. script: 4e6d, on @user_script:18.",
        "-NOREPLICAS Not enough good replicas to write.",
        "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "-LOADING Redis is loading the dataset in memory",
    ];
    for error in TEMPORARY {
        let server = Server::start();
        let proxy = Proxy::that_answers_once(&server, error).await;
        let guard = RedisReplayGuard::new(&proxy.url()).unwrap();
        handled(&guard, "a").await;
        assert!(proxy.has_dropped_one(), "{error}");
    }
    let server = Server::start();
    let proxy =
        Proxy::that_answers_once(&server, "-NOPERM this user has no permissions to run the 'evalsha' command").await;
    let guard = RedisReplayGuard::new(&proxy.url()).unwrap();
    let started = Instant::now();
    assert!(guard.claim(&delivery("a", expires_at())).await.unwrap_err().to_string().contains("permissions"));
    assert!(started.elapsed() < RedisReplayGuard::DEFAULT_TIMEOUT, "it is not retried");
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
            Ok(claimed) => {
                claimed.finish(StatusCode::OK).await;
                Ok(())
            }
            Err(rejected) => Err(rejected.rejection().clone()),
        }
    };
    let (one, two) = (r#"{"event":"person.created","data":{"id":1}}"#, r#"{"event":"person.created","data":{"id":2}}"#);
    assert_eq!(deliver(one).await, Ok(()));
    assert_eq!(deliver(one).await, Err(Rejection::AlreadyCompleted));
    server.stop();
    let rejection = deliver(two).await.unwrap_err();
    assert_eq!((rejection.status(), rejection.code()), (StatusCode::SERVICE_UNAVAILABLE, "guard_unavailable"));
    server.restart();
    assert_eq!(deliver(two).await, Ok(()));
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_retried() {
    for failure in [Failure::Closes, Failure::Stalls] {
        let server = Server::start();
        let proxy = Proxy::that_drops_an_answer(&server, failure).await;
        let guard = RedisReplayGuard::new(&proxy.url()).unwrap();
        let held = lease(guard.claim(&delivery("a", expires_at())).await);
        assert!(proxy.has_dropped_one(), "so the claim was sent twice");
        guard.complete(held).await.unwrap();
        assert!(is_completed(&guard, "a").await);
    }
}

/// The retry must not take its own completion for another receiver's.
#[tokio::test]
async fn a_completion_whose_answer_is_lost_is_retried() {
    for failure in [Failure::Closes, Failure::Stalls] {
        let server = Server::start();
        let guard = server.guard().lease(Duration::from_millis(1));
        let held = lease(guard.claim(&delivery("a", expires_at())).await);
        let released = lease(guard.claim(&delivery("b", expires_at())).await);
        tokio::time::sleep(Duration::from_millis(2)).await;
        guard.release(lease(guard.claim(&delivery("b", expires_at())).await)).await.unwrap();
        for held in [held, released] {
            let proxy = Proxy::that_drops_an_answer(&server, failure).await;
            RedisReplayGuard::new(&proxy.url()).unwrap().complete(held).await.unwrap();
            assert!(proxy.has_dropped_one(), "so the completion was sent twice");
        }
        assert!(is_completed(&guard, "a").await && is_completed(&guard, "b").await);
    }
}
