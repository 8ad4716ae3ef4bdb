use axum::Router;
use axum::body::Body;
use axum::routing::post;
use tower::ServiceExt;
use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer};
use twenty_webhook_testing::{ReceiverResponse, Recorder, Tamper, event};

#[tokio::test]
async fn a_delivery_is_handled_once_and_a_forged_one_is_rejected() {
    let (secret, handled) = (Secret::new("s3cret").unwrap(), Recorder::default());
    let events = EventRouter::new().on("person.created", handled.handler());
    let layer = TwentyWebhookLayer::new(secret.clone());
    let app = Router::new().route("/webhooks/twenty", post(events).layer(layer));
    let send = |request: http::Request<Body>| app.clone().oneshot(request);

    let delivery = event("person.created").signed_with(&secret);
    send(delivery.http()).await.unwrap().assert_handled();
    send(delivery.rerun().http()).await.unwrap().assert_duplicate();

    let forged = event("person.created").seed(2).signed_with(&secret).tampered(Tamper::Body);
    send(forged.http()).await.unwrap().assert_rejected("signature_mismatch");

    handled.assert_names(["person.created"]);
}
