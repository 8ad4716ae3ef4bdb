//! Take this when the receiver is an AWS Lambda function behind a function URL or an HTTP API of API Gateway.
//!
//! `TWENTY_WEBHOOK_SECRET` is the webhook's secret. [cargo-lambda](https://www.cargo-lambda.info) builds and deploys the function; Twenty
//! sends to its URL, at `/webhooks/twenty`.
//!
//! - Lambda freezes the function after the response. Finish the work, or store the event, before the handler returns.
//! - The replay guard is in the memory of one instance, and Lambda runs several. If a handler must not run twice for a delivery, share a
//!   guard (`twenty-webhook-redis`), or make the handler idempotent with the delivery's `replay_key`.
//! - A body may arrive as base64. `lambda_http` decodes it, so the layer sees the bytes that Twenty signed.

use axum::Router;
use axum::routing::post;
use lambda_http::tracing;
use twenty_webhook_axum::records::Person;
use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer, WebhookEvent, escaped};

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    tracing::init_default_subscriber();
    lambda_http::run(app(Secret::from_env("TWENTY_WEBHOOK_SECRET")?, events())).await
}

fn events() -> EventRouter {
    EventRouter::new().on("person.created", person_created).fallback(async |_: WebhookEvent| {})
}

fn app(secret: Secret, events: EventRouter) -> Router {
    Router::new().route("/webhooks/twenty", post(events).layer(TwentyWebhookLayer::new(secret)))
}

async fn person_created(_: WebhookEvent, person: Person) {
    let name = person.name.unwrap_or_default().to_string();
    tracing::info!("a new person: {}", escaped(&name));
}
