//! Rotates a secret under load. No genuine delivery is rejected, and no forged one is accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;
use twenty_webhook_axum::{Clock, Secret, Signer, UnixMillis, WebhookConfig};

use super::*;

const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

/// A clock that the test can advance, so that it does not wait for the cache.
#[derive(Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl TestClock {
    fn clock(&self) -> Clock {
        let offset = self.0.clone();
        Clock::new(move || UnixMillis::from_millis(Clock::system().now().as_millis() + offset.load(Ordering::SeqCst)))
    }

    fn advance_seconds(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

async fn deliver(app: &Router, tenant: &str, secret: &str, number: usize) -> u16 {
    let body = format!(r#"{{"eventName":"person.created","record":{{"id":"{tenant}-{number}"}}}}"#);
    let mut request = Request::post(format!("/webhooks/{tenant}")).body(Body::from(body.clone())).unwrap();
    request.headers_mut().extend(Signer::new(Secret::new(secret).unwrap()).sign(body.as_bytes()));
    app.clone().oneshot(request).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_refuses_no_genuine_and_accepts_no_forged_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(dir.path().join("tenants.db").to_str().unwrap()).await.unwrap();
    for tenant in TENANTS {
        tenants.rotate(tenant, &format!("{tenant}-old")).await.unwrap();
        tenants.forget_previous(tenant).await.unwrap();
    }
    let (time, handled) = (TestClock::default(), Arc::new(AtomicUsize::new(0)));
    let count = handled.clone();
    let config = WebhookConfig::new(tenants.clone()).clock(time.clock()).observe(move |outcome| {
        if outcome.code() == "handled" {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let app = app(TwentyWebhookLayer::new(config));

    // Three senders without pauses, each with a forged copy of each delivery. `rotated` says with which secret Twenty signs.
    let (rotated, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let senders = TENANTS.map(|tenant| {
        let (app, rotated, stop) = (app.clone(), rotated.clone(), stop.clone());
        tokio::spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::SeqCst) {
                let new = tenant == "acme" && rotated.load(Ordering::SeqCst);
                let secret = if new { format!("{tenant}-new") } else { format!("{tenant}-old") };
                assert_eq!(deliver(&app, tenant, &secret, sent).await, 204, "{tenant}, {sent}");
                // A wrong secret, another tenant, and an unknown one.
                let other = TENANTS[(TENANTS.iter().position(|name| *name == tenant).unwrap() + 1) % 3];
                for (path, secret) in [(tenant, "guess"), (other, &*secret), ("unknown", &*secret)] {
                    assert_eq!(deliver(&app, path, secret, sent).await, 401, "{path}");
                }
                sent += 1;
            }
            sent
        })
    });
    let handle_100_more = async || {
        let goal = handled.load(Ordering::SeqCst) + 100;
        while handled.load(Ordering::SeqCst) < goal {
            tokio::task::yield_now().await;
        }
    };
    handle_100_more().await;
    tenants.rotate("acme", "acme-new").await.unwrap();
    handle_100_more().await;
    time.advance_seconds(10);
    rotated.store(true, Ordering::SeqCst);
    handle_100_more().await;
    // Twenty may still sign with the old secret.
    assert_eq!(deliver(&app, "acme", "acme-old", 1_000_000).await, 204);
    tenants.forget_previous("acme").await.unwrap();
    time.advance_seconds(10);
    assert_eq!(deliver(&app, "acme", "acme-old", 1_000_001).await, 401);
    handle_100_more().await;
    stop.store(true, Ordering::SeqCst);

    let mut sent = 1;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    assert_eq!(handled.load(Ordering::SeqCst), sent, "each once");
}
