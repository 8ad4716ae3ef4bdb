//! A receiver of Twenty's webhooks on axum: `cargo run -p axum-receiver`.
//!
//! `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` where to listen.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use twenty_webhook_axum::records::{Opportunity, Person};
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook, WebhookEvent, listener, serve, shutdown_signal};

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // First of all: what is sent from now on waits in its queue. A supervisor such as systemd may hand it over, and keep it open while
    // this program restarts.
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let webhook = TwentyWebhookLayer::new(demo::secret(addr)?);
    let app = app(webhook.clone());
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/twenty", post(receive).layer(webhook)).route("/health", get(StatusCode::NO_CONTENT))
}

/// Runs only for deliveries that were freshly signed by Twenty, and not handled before.
async fn receive(Webhook(event): Webhook) -> StatusCode {
    match handle(&event) {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            tracing::error!(%error, delivery_id = %event.delivery_id(), "not handled");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// Twenty never retries: answer 2xx only when the work is done, or safely stored.
fn handle(event: &WebhookEvent) -> anyhow::Result<()> {
    let action = event.action();
    match event.object() {
        Person::OBJECT => {
            for person in event.records::<Person>() {
                tracing::info!("person {action}: {}", person?.name.unwrap_or_default());
            }
        }
        Opportunity::OBJECT => {
            for deal in event.records::<Opportunity>() {
                let Opportunity { name, amount, .. } = deal?;
                let (name, amount) = (name.unwrap_or_default(), amount.unwrap_or_default());
                tracing::info!("opportunity {action}: {name}, worth {amount}");
            }
        }
        _ => {}
    }
    demo::print(event);
    Ok(())
}
