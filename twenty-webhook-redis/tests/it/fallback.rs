use std::time::Duration;

use twenty_webhook_core::{MemoryReplayGuard, ReplayGuard};

use crate::server::Server;
use crate::{delivery, expires_at, handled, is_completed, lease};

#[tokio::test]
async fn with_a_fallback_an_outage_loses_and_repeats_no_delivery() {
    let mut server = Server::start();
    let guard = server
        .guard()
        .timeout(Duration::from_millis(200))
        .insecure_fallback(MemoryReplayGuard::default(), |error| eprintln!("{error}"));
    handled(&guard, "before").await;
    let running = lease(guard.claim(&delivery("running", expires_at())).await);
    server.stop();
    assert!(is_completed(&guard, "before").await);
    guard.complete(running).await.unwrap();
    assert!(is_completed(&guard, "running").await);
    handled(&guard, "during").await;
    assert!(is_completed(&guard, "during").await);
    server.restart();
    for case in ["before", "running", "during"] {
        assert!(is_completed(&guard, case).await, "{case}");
        assert!(is_completed(&server.guard(), case).await, "{case}: known to other receivers");
    }
}
