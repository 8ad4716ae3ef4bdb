//! Take this if a handler is slow or may fail, or if no event may be lost: `cargo run -p inbox-receiver`.
//!
//! It stores each delivery in `inbox.db`, answers 202, and handles it afterwards, again and again until it succeeds. Kill it at any time,
//! and start it again. `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` the address, `INBOX_DB` the file.

use std::env;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use twenty_webhook_axum::{listener, serve, shutdown_signal};
use twenty_webhook_inbox::{Inbox, Secret, SqliteStore, WebhookEvent};

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = listener(demo::listen_addr())?;
    let _log = demo::log_to_stderr();
    let inbox = Inbox::sqlite(env::var_os("INBOX_DB").unwrap_or("inbox.db".into())).await?;
    let addr = listener.local_addr()?;
    let app = app(&inbox, demo::secret(addr)?);
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    #[cfg(feature = "dashboard")]
    {
        let addr = env::var("DASHBOARD_ADDR").unwrap_or_else(|_| "127.0.0.1:3001".to_owned());
        let listener = tokio::net::TcpListener::bind(addr).await?;
        tracing::info!("the dashboard is at http://{}/inbox", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, dashboard(&inbox)).into_future());
    }

    // They can also be two programs that share the file.
    let server = serve(listener, app).with_graceful_shutdown(shutdown_signal());
    let worker = inbox.worker("crm-sync", handle).run_until(shutdown_signal());
    tokio::join!(server.into_future(), worker);
    Ok(())
}

/// Verifies, stores, answers 202.
fn app(inbox: &Inbox<SqliteStore>, secret: Secret) -> Router {
    Router::new().route("/webhooks/twenty", inbox.receiver(secret)).route("/health", get(StatusCode::NO_CONTENT))
}

/// A page at `/inbox`, on an address that only this machine reaches. On any other address, put it behind a login.
#[cfg(feature = "dashboard")]
fn dashboard(inbox: &Inbox<SqliteStore>) -> Router {
    let with_actions = env::var_os("DASHBOARD_ACTIONS").is_some();
    let dashboard = if with_actions { inbox.dashboard_with_actions() } else { inbox.dashboard() };
    Router::new().nest_service("/inbox", dashboard)
}

/// Runs once for each delivery, and again after an error or a crash. It may be slow.
async fn handle(event: WebhookEvent) -> Result<(), std::io::Error> {
    demo::print(&event);
    Ok(())
}
