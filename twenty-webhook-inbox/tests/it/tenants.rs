//! Tenants that share an inbox: the same bytes of two of them are two deliveries.

use twenty_webhook_core::{Secret, Signer, Verifier, WebhookEvent};

use crate::support::{Place, body};

fn signed(secret: &str, tenant: Option<&str>) -> WebhookEvent {
    let body = body("person.created", 1);
    let secret = Secret::new(secret).unwrap();
    let verifier = Verifier::new(secret.clone());
    let verifier = match tenant {
        Some(name) => verifier.tenant(name),
        None => verifier,
    };
    let headers = Signer::new(secret).sign(body.as_bytes());
    verifier.verify(&headers, body).unwrap().into_event().unwrap()
}

#[tokio::test]
async fn the_same_bytes_of_two_tenants_are_two_deliveries() {
    for tenants in [[None, None], [Some("acme"), Some("globex")]] {
        let place = Place::new();
        let inbox = place.open().await;
        for _ in 0..2 {
            inbox.store(&signed("one secret", tenants[0])).await.unwrap();
            inbox.store(&signed("another secret", tenants[1])).await.unwrap();
        }
        assert_eq!(inbox.counts().await.unwrap().pending, 2, "{tenants:?}");
    }
}

/// Twenty may repeat a job after the secret was rotated.
#[tokio::test]
async fn a_re_run_after_a_rotation_is_known_for_a_named_tenant() {
    for (tenant, pending) in [(Some("acme"), 1), (None, 2)] {
        let place = Place::new();
        let inbox = place.open().await;
        inbox.store(&signed("old", tenant)).await.unwrap();
        inbox.store(&signed("new", tenant)).await.unwrap();
        assert_eq!(inbox.counts().await.unwrap().pending, pending, "{tenant:?}");
    }
}
