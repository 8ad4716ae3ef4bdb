//! On actix-web the extractor verifies, and the handler stores and answers.

use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, Responder, test, web};
use twenty_webhook_actix::{Webhook, WebhookConfig};
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{Inbox, Secret};

use crate::memory::Memory;
use crate::support::{SECRET, body};

async fn receive(Webhook(event): Webhook, inbox: web::Data<Inbox<Memory>>) -> impl Responder {
    match inbox.store(&event).await {
        Ok(()) => HttpResponse::Accepted(),
        Err(_) => HttpResponse::ServiceUnavailable(),
    }
}

#[actix_web::test]
async fn what_could_not_be_stored_is_stored_when_it_comes_again() {
    let store = Memory::default();
    let inbox = web::Data::new(Inbox::on(store.clone()));
    let secret = Secret::new(SECRET).unwrap();
    let config = web::Data::new(WebhookConfig::new(secret.clone()).without_replay_guard());
    let app = App::new().app_data(config).app_data(inbox.clone()).route("/", web::post().to(receive));
    let app = test::init_service(app).await;
    let deliver = async |secret: &Secret| {
        let body = body("person.created", 1);
        let mut request = test::TestRequest::post();
        for (name, value) in &Signer::new(secret.clone()).sign(body.as_bytes()) {
            request = request.insert_header((name.as_str(), value.as_bytes()));
        }
        test::call_service(&app, request.set_payload(body).to_request()).await.status()
    };
    store.down.store(true, Ordering::SeqCst);
    assert_eq!(deliver(&secret).await, StatusCode::SERVICE_UNAVAILABLE);
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(deliver(&Secret::new("another").unwrap()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(inbox.counts().await.unwrap().open(), 0);
    for _ in 0..2 {
        assert_eq!(deliver(&secret).await, StatusCode::ACCEPTED);
    }
    assert_eq!(inbox.counts().await.unwrap().pending, 1);
}
