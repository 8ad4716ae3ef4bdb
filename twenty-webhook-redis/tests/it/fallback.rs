use std::time::Duration;

use twenty_webhook_core::{MemoryReplayGuard, ReplayGuard};

use crate::server::Server;
use crate::{handled, id, is_completed, lease, until};

#[tokio::test]
async fn with_a_fallback_an_outage_loses_nothing_and_repeats_nothing_here() {
    let mut server = Server::start();
    let guard = server
        .guard()
        .timeout(Duration::from_millis(200))
        .insecure_or_else(MemoryReplayGuard::default(), |error| eprintln!("{error}"));
    handled(&guard, id("before")).await;
    let running = lease(guard.claim(id("running"), until()).await);
    server.stop();
    assert!(is_completed(&guard, id("before")).await);
    guard.complete(running).await.unwrap();
    assert!(is_completed(&guard, id("running")).await);
    handled(&guard, id("during")).await;
    assert!(is_completed(&guard, id("during")).await);
    server.restart();
    for case in ["before", "running", "during"] {
        assert!(is_completed(&guard, id(case)).await, "{case}");
        assert!(is_completed(&server.guard(), id(case)).await, "{case}: the other receivers are told");
    }
}
