//! Tests the receiver without a network. See docs/testing.md.

use actix_web::test::{call_service, init_service};
use twenty_webhook_actix::{Secret, TwentyWebhookMiddleware};
use twenty_webhook_testing::{ReceiverResponse, SignedRequest, Tamper, event};

#[actix_web::test]
async fn a_signed_delivery_is_handled_once_and_a_changed_one_is_refused() {
    let secret = Secret::new("s3cret").unwrap();
    let app = init_service(crate::app(TwentyWebhookMiddleware::new(secret.clone()))).await;
    let send = async |request: SignedRequest| call_service(&app, request.actix().to_request()).await;

    for name in ["person.created", "opportunity.updated", "rocket.destroyed", "metadata.view.created"] {
        let delivery = event(name).signed_with(&secret);
        send(delivery.clone()).await.assert_handled();
        send(delivery.rerun()).await.assert_duplicate();
        send(delivery.tampered(Tamper::Body)).await.assert_rejected("signature_mismatch");
    }
}
