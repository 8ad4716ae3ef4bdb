use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use twenty_webhook_core::{Claim, ReplayGuard};

use crate::server::Server;
use crate::{delivery, expires_at, handled, is_completed, lease};

#[tokio::test(flavor = "multi_thread")]
async fn two_receivers_handle_one_of_a_thousand_copies() {
    let server = Server::start();
    // A busy machine needs more than the default timeout for a thousand claims at once.
    let guard = || Arc::new(server.guard().timeout(Duration::from_secs(60)));
    let receivers = [guard(), guard()];
    let mut copies = JoinSet::new();
    for copy in 0..1_000 {
        let receiver = Arc::clone(&receivers[copy % 2]);
        copies.spawn(async move {
            match receiver.claim(&delivery("a", expires_at())).await.unwrap() {
                Claim::New(lease) => {
                    receiver.complete(lease).await.unwrap();
                    1
                }
                Claim::InProgress { .. } | Claim::Completed => 0,
                Claim::Expired => panic!("it has not expired"),
            }
        });
    }
    assert_eq!(copies.join_all().await.into_iter().sum::<i32>(), 1);
    assert!(is_completed(&receivers[0], "a").await && is_completed(&receivers[1], "a").await);
}

#[tokio::test]
async fn another_receiver_takes_over_from_a_dead_one_after_the_lease() {
    let server = Server::start();
    let duration = Duration::from_secs(1);
    let (dead, other) = (server.guard().lease(duration), server.guard().lease(duration));
    let held = lease(dead.claim(&delivery("a", expires_at())).await);
    drop((dead, held));
    match other.claim(&delivery("a", expires_at())).await {
        Ok(Claim::InProgress { retry_after }) => tokio::time::sleep(retry_after + Duration::from_millis(1)).await,
        other => panic!("{other:?}"),
    }
    handled(&other, "a").await;
}

#[tokio::test]
async fn receivers_may_have_different_leases() {
    let server = Server::start();
    let (short, long) = (server.guard().lease(Duration::from_millis(1)), server.guard());
    let expired = lease(short.claim(&delivery("a", expires_at())).await);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let held = lease(long.claim(&delivery("a", expires_at())).await);
    assert!(short.complete(expired).await.is_err());
    long.complete(held).await.unwrap();
    assert!(is_completed(&short, "a").await);
}
