//! Take this when other services consume Twenty's events from NATS: it publishes each delivery to JetStream, for example on the subject
//! `twenty.person.created`.
//!
//! ```sh
//! NATS_URL=nats://127.0.0.1:4222 cargo run -p nats-forwarder
//! ```
//!
//! A delivery is answered with 202 after JetStream has stored it, and with 503 otherwise. Twenty does not retry: to lose nothing while NATS
//! is down, use the inbox and publish from its worker. The replay key is the message's id (`Nats-Msg-Id`), so JetStream stores a delivery
//! once, even if two of these forwarders receive it.

use std::env;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::context::{Context, ContextBuilder};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use axum::{Router, extract::State, http::StatusCode, routing::post};
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook, WebhookEvent, listener, serve, shutdown_signal};

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let webhook = TwentyWebhookLayer::new(demo::secret(addr)?);
    let url = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let app = app(webhook.clone(), jetstream(&url).await?);
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

fn app(webhook: TwentyWebhookLayer, jetstream: Context) -> Router {
    Router::new().route("/webhooks/twenty", post(forward).layer(webhook)).with_state(jetstream)
}

async fn jetstream(url: &str) -> anyhow::Result<Context> {
    // Twenty waits 5 seconds for an answer.
    let jetstream = ContextBuilder::new().timeout(Duration::from_secs(3)).build(async_nats::connect(url).await?);
    let stream = Config {
        name: "twenty".to_owned(),
        subjects: vec!["twenty.>".to_owned()],
        // The layer accepts a timestamp that is up to 5 minutes old or ahead, so the same delivery for 10 minutes.
        duplicate_window: Duration::from_secs(11 * 60),
        ..Config::default()
    };
    jetstream.get_or_create_stream(stream).await?;
    Ok(jetstream)
}

async fn forward(State(jetstream): State<Context>, Webhook(event): Webhook) -> StatusCode {
    match publish(&jetstream, &event).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(error) => {
            tracing::error!("not stored: {error:#}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn publish(jetstream: &Context, event: &WebhookEvent) -> anyhow::Result<()> {
    let delivery = event.delivery().context("the event is not from the layer")?;
    let message = PublishMessage::build().payload(event.body().clone()).message_id(delivery.replay_key().to_string());
    // The first `await` sends the message, the second one waits for the acknowledgement.
    jetstream.send_publish(subject(event), message).await?.await?;
    Ok(())
}

/// An event whose name is not a valid subject goes to `twenty.other`.
fn subject(event: &WebhookEvent) -> String {
    let name = event.name().as_str();
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if name.split('.').all(is_token) { format!("twenty.{name}") } else { "twenty.other".to_owned() }
}
