//! Receivers on several machines that share one Redis: whichever of them a copy of a delivery reaches, it is handled once.
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
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook, WebhookConfig, listener, serve, shutdown_signal};
use twenty_webhook_redis::RedisReplayGuard;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let redis = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    // Without Redis, deliveries are refused with 503. To handle them all the same, see `insecure_fallback`.
    let config = WebhookConfig::new(demo::secret(addr)?).replay_guard(RedisReplayGuard::new(&redis)?);
    let webhook = TwentyWebhookLayer::new(config);
    let app = app(webhook.clone());
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/twenty", post(receive).layer(webhook)).route("/health", get(StatusCode::NO_CONTENT))
}

/// Runs once for a delivery, on one of the receivers, unless it fails: then the next copy is handled.
async fn receive(Webhook(event): Webhook) -> StatusCode {
    demo::print(&event);
    StatusCode::OK
}
