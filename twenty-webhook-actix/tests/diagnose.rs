//! Diagnosing tells the operator more and changes no answer, with the middleware and with the extractor alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, web};
use twenty_webhook_actix::{Diagnosis, Finding, Secret, Signer, TwentyWebhookMiddleware, Webhook, WebhookConfig};

const BODY: &str = r#"{"eventName":"person.created","record":{"id":"42"}}"#;

async fn receive(_: Webhook) -> HttpResponse {
    panic!("the handler runs")
}

/// Sends a delivery to a receiver whose secret is configured with a trailing space. Returns each status, and what was found.
async fn rejected(config: WebhookConfig) -> [(u16, Vec<String>); 2] {
    let app = App::new()
        .app_data(web::Data::new(config.clone()))
        .service(web::resource("/middleware").wrap(TwentyWebhookMiddleware::new(config)).route(web::post().to(receive)))
        .route("/extractor", web::post().to(receive));
    let app = init_service(app).await;
    let send = async |path: &str| {
        let mut request = TestRequest::post().uri(path).set_payload(BODY);
        for (name, value) in &Signer::new(Secret::new("s3cret").unwrap()).sign(BODY.as_bytes()) {
            request = request.insert_header((name.as_str(), value.as_bytes()));
        }
        let response = call_service(&app, request.to_request()).await;
        let extensions = response.response().extensions();
        let findings = extensions.get::<Diagnosis>().map(|diagnosis| diagnosis.findings().to_vec()).unwrap_or_default();
        (response.status().as_u16(), findings.iter().map(|finding: &Finding| finding.code().to_owned()).collect())
    };
    [send("/middleware").await, send("/extractor").await]
}

#[actix_web::test]
async fn a_rejected_request_is_diagnosed_only_if_configured() {
    let config = || WebhookConfig::new(Secret::new("s3cret ").unwrap());
    for (status, findings) in rejected(config().diagnose_rejections()).await {
        assert_eq!((status, findings.as_slice()), (401, ["secret_white_space".to_owned()].as_slice()));
    }
    for (status, findings) in rejected(config()).await {
        assert_eq!((status, findings.len()), (401, 0), "nothing is diagnosed by default");
    }
}
