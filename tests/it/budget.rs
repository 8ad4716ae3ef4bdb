//! Unverified bodies share a memory budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use twenty_webhook_core::{Clock, Verifier, WebhookConfig};

use crate::receivers::service::{self, Handler, Service};
use crate::receivers::{Chunks, counted};
use crate::samples::{BODY, NOW, secret, signed};
use crate::vectors::Case;

const KIB: usize = 1024;

/// A note of about `len` bytes.
fn note(len: usize) -> Case {
    signed(&format!(r#"{{"eventName":"note.created","record":{{"id":"n","text":"{}"}}}}"#, "x".repeat(len)), NOW)
}

/// A body without its last byte, which never arrives.
fn stalled(case: &Case) -> Chunks {
    stream::iter([Ok(case.body.slice(..case.body.len() - 1))]).chain(stream::pending()).boxed()
}

async fn services(config: impl Fn() -> WebhookConfig) -> Vec<(Service, Arc<AtomicUsize>)> {
    let counting = || -> (Handler, Arc<AtomicUsize>) {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = runs.clone();
        let run = move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { 204 }.boxed()
        };
        (Arc::new(run), runs)
    };
    let (axum, actix, extractor) = (counting(), counting(), counting());
    vec![
        (service::axum(config(), axum.0), axum.1),
        (service::actix(config(), actix.0, true).await, actix.1),
        (service::actix(config(), extractor.0, false).await, extractor.1),
    ]
}

fn config() -> WebhookConfig {
    WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)))
}

/// Twenty sends the text of a note twice. Notes of 18 MB have been seen.
#[actix_web::test]
async fn a_note_of_18_mb_is_handled() {
    for (service, handled) in services(config).await {
        let case = note(18_000_000);
        let chunks: Vec<_> = case.body.chunks(64 * KIB).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        assert_eq!(service.send_chunks(&case, counted(chunks).0).await.status, 204, "{}", service.name);
        assert_eq!(handled.load(Ordering::SeqCst), 1, "{}", service.name);
    }
}

#[actix_web::test]
async fn stalled_large_bodies_block_large_bodies_and_no_small_ones() {
    tokio::time::pause();
    for (service, handled) in services(|| config().body_budget(10_000 * KIB)).await {
        let slow = note(6000 * KIB);
        let mut stalled = service.send_chunks(&slow, stalled(&slow));
        assert!((&mut stalled).now_or_never().is_none());

        let rejected = service.send(&note(7000 * KIB)).await;
        assert_eq!(
            (rejected.status, rejected.rejection.unwrap().code()),
            (503, "body_budget_exhausted"),
            "{}",
            service.name
        );
        assert_eq!(handled.load(Ordering::SeqCst), 0, "{}", service.name);
        assert_eq!(service.send(&signed(BODY, NOW)).await.status, 204, "{}", service.name);
        assert_eq!(service.send(&note(60 * KIB)).await.status, 204, "{}: the first 64 KiB are free", service.name);

        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(stalled.await.status, 408, "{}", service.name);
        assert_eq!(service.send(&note(7000 * KIB)).await.status, 204, "{}: the budget is free again", service.name);
    }
}

/// After a verified, a forged, an incomplete and an abandoned body.
#[actix_web::test]
async fn every_body_returns_its_share_of_the_budget() {
    for (service, _) in services(|| config().body_budget(2000 * KIB)).await {
        for round in 0..20 {
            let large = note(1400 * KIB + round);
            let mut forged = large.clone();
            *forged.header("signature") = "0".repeat(64);
            assert_eq!(service.send(&forged).await.status, 401, "{}", service.name);
            let broken =
                stream::iter([Ok(large.body.slice(..1300 * KIB)), Err(std::io::Error::other("reset"))]).boxed();
            assert_eq!(service.send_chunks(&large, broken).await.status, 400, "{}", service.name);
            let mut hung_up = service.send_chunks(&large, stalled(&large));
            assert!((&mut hung_up).now_or_never().is_none());
            drop(hung_up);
            assert_eq!(service.send(&large).await.status, 204, "{}", service.name);
        }
    }
}
