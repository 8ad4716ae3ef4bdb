//! How a receiver is tested without a network: sign a body, and call the app.

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use twenty_webhook_actix::{Secret, Signer, TwentyWebhookMiddleware};

const BODY: &str = r#"{"eventName":"person.created","record":{"id":"42"}}"#;

#[actix_web::test]
async fn a_signed_delivery_is_handled() {
    assert_eq!(deliver(BODY, BODY).await, StatusCode::OK);
}

#[actix_web::test]
async fn a_changed_delivery_is_refused() {
    assert_eq!(deliver(BODY, &BODY.replace("42", "43")).await, StatusCode::UNAUTHORIZED);
}

async fn deliver(signed: &str, sent: &str) -> StatusCode {
    let secret = Secret::new("s3cret").unwrap();
    let mut request = TestRequest::post().uri("/webhooks/twenty").set_payload(sent.to_owned());
    for (name, value) in &Signer::new(secret.clone()).sign(signed.as_bytes()) {
        request = request.insert_header((name.as_str(), value.as_bytes()));
    }
    let app = init_service(crate::app(TwentyWebhookMiddleware::new(secret))).await;
    call_service(&app, request.to_request()).await.status()
}
