//! Take this for a receiver on axum whose handlers are quick: `cargo run -p axum-receiver`.
//!
//! It routes events to handlers by name, and shuts down gracefully. `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` the
//! address. With `--features metrics` it serves metrics for Prometheus at `/metrics`.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use twenty_webhook_axum::records::{Opportunity, Person};
use twenty_webhook_axum::{EventRouter, TwentyWebhookLayer, WebhookEvent, escaped, listener, serve, shutdown_signal};

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // First, so that deliveries wait in its queue from now on. systemd or another supervisor may pass it, and keep it open while this
    // program restarts.
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let webhook = TwentyWebhookLayer::new(demo::secret(addr)?);
    let app = app(webhook.clone());
    #[cfg(feature = "metrics")]
    let app = app.merge(metrics::route()?);
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/twenty", post(events()).layer(webhook)).route("/health", get(StatusCode::NO_CONTENT))
}

/// The handlers run once for each delivery that Twenty signed. Twenty never retries, so return `Ok` only when the work is done or safely
/// stored, and an error otherwise: a copy of the delivery is then accepted.
fn events() -> EventRouter {
    EventRouter::new()
        .on("person.*", person)
        .on("opportunity.*", opportunity)
        .fallback(async |event: WebhookEvent| demo::print(&event))
}

async fn person(event: WebhookEvent, person: Person) {
    // Escape what people typed into the CRM before you log it.
    let name = person.name.unwrap_or_default().to_string();
    tracing::info!("{}: {}", escaped(event.name().as_str()), escaped(&name));
    demo::print(&event);
}

async fn opportunity(event: WebhookEvent, deal: Opportunity) {
    let (name, amount) = (deal.name.unwrap_or_default(), deal.amount.unwrap_or_default());
    tracing::info!("{}: {}, worth {}", escaped(event.name().as_str()), escaped(&name), escaped(&amount.to_string()));
    demo::print(&event);
}
