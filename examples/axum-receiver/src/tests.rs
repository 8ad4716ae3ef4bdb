//! How a receiver is tested without a network: sign a body, and call the app.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt;
use twenty_webhook_axum::{Secret, Signer, TwentyWebhookLayer};

const BODY: &str = r#"{"eventName":"person.created","record":{"id":"42"}}"#;

#[tokio::test]
async fn a_signed_delivery_is_handled() {
    assert_eq!(deliver(BODY, BODY).await, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_delivery_is_refused() {
    assert_eq!(deliver(BODY, &BODY.replace("42", "43")).await, StatusCode::UNAUTHORIZED);
}

async fn deliver(signed: &str, sent: &str) -> StatusCode {
    let secret = Secret::new("s3cret").unwrap();
    let mut request = Request::post("/webhooks/twenty").body(Body::from(sent.to_owned())).unwrap();
    request.headers_mut().extend(Signer::new(secret.clone()).sign(signed.as_bytes()));
    crate::app(TwentyWebhookLayer::new(secret)).oneshot(request).await.unwrap().status()
}
