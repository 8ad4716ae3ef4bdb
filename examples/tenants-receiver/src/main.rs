//! Take this if one receiver serves several workspaces of Twenty, each with its own secret: `cargo run -p tenants-receiver`.
//!
//! The secrets are in `tenants.db` (`TENANTS_DB`). The webhook of each workspace sends to `/webhooks/{name}`. To rotate a secret without a
//! restart and without a loss:
//!
//! 1. Store the new secret, and keep the old one ([`Tenants::rotate`]).
//! 2. Wait 10 seconds, until all caches have expired.
//! 3. Change the secret in Twenty.
//! 4. Wait 10 seconds more, because Twenty may still sign with the old secret. Then delete it ([`Tenants::forget_previous`]).

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

/// The source chooses the verifier by the path. The route accepts every name, so that the answer does not reveal which tenants exist.
fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/{tenant}", post(receive).layer(webhook))
}

/// Reads the tenant from the delivery, which has it from the verifier. The path is not signed.
async fn receive(Webhook(event): Webhook) -> StatusCode {
    let tenant = event.delivery().and_then(|delivery| delivery.tenant()).unwrap_or_default();
    tracing::info!(tenant, name = %escaped(event.name().as_str()), delivery_id = %event.delivery_id(), "handled");
    StatusCode::NO_CONTENT
}
