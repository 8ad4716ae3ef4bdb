//! Take this if two or more receivers serve one webhook. They share a Redis, so each delivery is handled once, whichever receiver gets its
//! copies.
//!
//! ```sh
//! export TWENTY_WEBHOOK_SECRET=… REDIS_URL=redis://127.0.0.1:6379
//! LISTEN_ADDR=127.0.0.1:3000 cargo run -p axum-redis-receiver
//! LISTEN_ADDR=127.0.0.1:3001 cargo run -p axum-redis-receiver
//! ```

use std::env;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use twenty_webhook_axum::{Secret, TwentyWebhookLayer, Webhook, WebhookConfig, listener, serve, shutdown_signal};
use twenty_webhook_redis::RedisReplayGuard;

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let redis = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let webhook = layer(demo::secret(addr)?, &redis)?;
    let app = app(webhook.clone());
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

/// While Redis is unavailable, deliveries are rejected with 503. `insecure_fallback` would handle them anyway.
fn layer(secret: Secret, redis: &str) -> anyhow::Result<TwentyWebhookLayer> {
    let guard = RedisReplayGuard::new(redis)?;
    Ok(TwentyWebhookLayer::new(WebhookConfig::new(secret).replay_guard(guard)))
}

fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/twenty", post(receive).layer(webhook)).route("/health", get(StatusCode::NO_CONTENT))
}

/// Runs once for each delivery, on one of the receivers. After an error, the next copy is handled.
async fn receive(Webhook(event): Webhook) -> StatusCode {
    demo::print(&event);
    StatusCode::OK
}
