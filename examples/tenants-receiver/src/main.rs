//! Take this when one receiver serves several workspaces of Twenty, each with a secret of its own: `cargo run -p tenants-receiver`.
//!
//! The secrets are in `tenants.db` (`TENANTS_DB`), and each workspace's webhook is sent to `/webhooks/{name}`. To rotate a secret without a
//! restart and without a loss: write the new one beside the old one ([`Tenants::rotate`]), wait 10 seconds, change it in Twenty, and forget
//! the old one ([`Tenants::forget_previous`]) after 10 more, for as long as Twenty may go on signing with it.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook, escaped, listener, serve, shutdown_signal};

mod tenants;
#[cfg(test)]
mod tests;

use tenants::Tenants;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let addr = listener.local_addr()?;
    let tenants = Tenants::open(&std::env::var("TENANTS_DB").unwrap_or_else(|_| "tenants.db".into())).await?;
    for name in tenants.names().await? {
        tracing::info!("listening on http://{addr}/webhooks/{name}");
    }
    let webhook = TwentyWebhookLayer::new(tenants);
    serve(listener, app(webhook.clone())).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

/// The source chooses the verifier by the path. Any path is let in as far as the layer, so that the answer does not tell which there are.
fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/{tenant}", post(receive).layer(webhook))
}

/// Which tenant an event is of is what its verifier says; the path is not signed.
async fn receive(Webhook(event): Webhook) -> StatusCode {
    let tenant = event.delivery().and_then(|delivery| delivery.tenant()).unwrap_or_default();
    tracing::info!(tenant, name = %escaped(event.name().as_str()), delivery_id = %event.delivery_id(), "handled");
    StatusCode::NO_CONTENT
}
