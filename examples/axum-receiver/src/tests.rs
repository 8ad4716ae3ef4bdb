//! Tests the receiver without a network. See docs/testing.md.

use axum::body::Body;
use tower::ServiceExt;
use twenty_webhook_axum::{Secret, TwentyWebhookLayer};
use twenty_webhook_testing::{ReceiverResponse, SignedRequest, Tamper, event};

#[tokio::test]
async fn a_signed_delivery_is_handled_once_and_a_changed_one_is_refused() {
    let secret = Secret::new("s3cret").unwrap();
    let app = crate::app(TwentyWebhookLayer::new(secret.clone()));
    let send = async |request: SignedRequest| app.clone().oneshot(request.http::<Body>()).await.unwrap();

    for name in ["person.created", "opportunity.updated", "rocket.destroyed", "metadata.view.created"] {
        let delivery = event(name).signed_with(&secret);
        send(delivery.clone()).await.assert_handled();
        send(delivery.rerun()).await.assert_duplicate();
        send(delivery.tampered(Tamper::Body)).await.assert_rejected("signature_mismatch");
    }
}
