//! Tests the receiver without a network: delivers, and reads the inbox. See docs/testing.md.

use axum::body::Body;
use tower::ServiceExt;
use twenty_webhook_inbox::{Inbox, Secret};
use twenty_webhook_testing::{ReceiverResponse, Tamper, event};

#[tokio::test]
async fn a_signed_delivery_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
    let secret = Secret::new("s3cret").unwrap();
    let app = crate::app(&inbox, secret.clone());
    let delivery = event("person.created").signed_with(&secret);
    for request in [delivery.clone(), delivery.clone(), delivery.rerun()] {
        let response = app.clone().oneshot(request.http::<Body>()).await.unwrap();
        response.assert_handled();
        assert_eq!(response.status(), 202);
    }
    let forged = delivery.tampered(Tamper::Body).http::<Body>();
    app.oneshot(forged).await.unwrap().assert_rejected("signature_mismatch");
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}
