//! How a receiver with an inbox is tested without a network: deliver, and look into the inbox.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{Inbox, Secret};

#[tokio::test]
async fn a_signed_delivery_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
    let (secret, body) = (Secret::new("s3cret").unwrap(), r#"{"eventName":"person.created","record":{"id":"42"}}"#);
    for _ in 0..2 {
        let mut request = Request::post("/webhooks/twenty").body(Body::from(body)).unwrap();
        request.headers_mut().extend(Signer::new(secret.clone()).sign(body.as_bytes()));
        let response = crate::app(&inbox, secret.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}
