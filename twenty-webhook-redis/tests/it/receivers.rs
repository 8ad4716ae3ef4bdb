use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use twenty_webhook_core::{Claim, ReplayGuard};

use crate::server::Server;
use crate::{delivery, handled, is_completed, lease, until};

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_copies_at_two_receivers_one_is_handled() {
    let server = Server::start();
    let receivers = [Arc::new(server.guard()), Arc::new(server.guard())];
    let mut copies = JoinSet::new();
    for copy in 0..1_000 {
        let receiver = Arc::clone(&receivers[copy % 2]);
        copies.spawn(async move {
            match receiver.claim(&delivery("a", until())).await.unwrap() {
                Claim::New(lease) => {
                    receiver.complete(lease).await.unwrap();
                    1
                }
                Claim::InProgress { .. } | Claim::Completed => 0,
                Claim::Expired => panic!("it is fresh"),
            }
        });
    }
    assert_eq!(copies.join_all().await.into_iter().sum::<i32>(), 1);
    assert!(is_completed(&receivers[0], "a").await && is_completed(&receivers[1], "a").await);
}

#[tokio::test]
async fn another_receiver_takes_over_from_a_dead_one_when_the_lease_has_run_out() {
    let server = Server::start();
    let lasts = Duration::from_secs(1);
    let (dead, other) = (server.guard().lease(lasts), server.guard().lease(lasts));
    let held = lease(dead.claim(&delivery("a", until())).await);
    drop((dead, held));
    match other.claim(&delivery("a", until())).await {
        Ok(Claim::InProgress { retry_after }) => tokio::time::sleep(retry_after + Duration::from_millis(1)).await,
        early => panic!("{early:?}"),
    }
    handled(&other, "a").await;
}

#[tokio::test]
async fn receivers_need_not_agree_about_the_lease() {
    let server = Server::start();
    let (quick, slow) = (server.guard().lease(Duration::from_millis(1)), server.guard());
    let lapsed = lease(quick.claim(&delivery("a", until())).await);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let held = lease(slow.claim(&delivery("a", until())).await);
    assert!(quick.complete(lapsed).await.is_err());
    slow.complete(held).await.unwrap();
    assert!(is_completed(&quick, "a").await);
}
