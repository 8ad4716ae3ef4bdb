//! A receiver that loses nothing: it stores Twenty's webhooks in `inbox.db`, answers 202, and handles them afterwards:
//! `cargo run -p inbox-receiver`. Kill it when you like, and start it again.
//!
//! `TWENTY_WEBHOOK_SECRET` is the webhook's secret, `LISTEN_ADDR` where to listen, `INBOX_DB` the file.

use std::env;
use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::watch;
use twenty_webhook_inbox::{Inbox, Secret, SqliteStore, WebhookEvent};

#[cfg(test)]
mod tests;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    demo::log_to_stderr();
    let inbox = Inbox::sqlite(env::var_os("INBOX_DB").unwrap_or("inbox.db".into())).await?;
    let listener = TcpListener::bind(demo::listen_addr()).await?;
    let addr = listener.local_addr()?;
    let app = app(&inbox, demo::secret(addr)?);
    tracing::info!("listening on http://{addr}/webhooks/twenty");
    #[cfg(feature = "board")]
    tokio::spawn(axum::serve(TcpListener::bind("127.0.0.1:3001").await?, inbox.board()).into_future());

    // The two could as well be two programs on one file.
    let stopping = shutdown();
    let stopped = |mut stopping: watch::Receiver<bool>| async move { drop(stopping.wait_for(|stop| *stop).await) };
    let server = axum::serve(listener, app).with_graceful_shutdown(stopped(stopping.clone()));
    let worker = inbox.worker("crm-sync", handle).run_until(stopped(stopping));
    let (ended, ()) = tokio::join!(server, worker);
    Ok(ended?)
}

/// Verify, store, answer 202.
fn app(inbox: &Inbox<SqliteStore>, secret: Secret) -> Router {
    Router::new().route("/webhooks/twenty", inbox.receiver(secret)).route("/health", get(StatusCode::NO_CONTENT))
}

/// Runs once for each delivery, and again if it fails or is killed. Here it may take its time.
async fn handle(event: WebhookEvent) -> Result<(), std::io::Error> {
    demo::print(&event)
}

/// Turns true on Ctrl-C, or what `docker stop` and systemd send.
fn shutdown() -> watch::Receiver<bool> {
    let (stop, stopping) = watch::channel(false);
    let mut terminate =
        signal::unix::signal(signal::unix::SignalKind::terminate()).expect("signals can be listened to");
    tokio::spawn(async move {
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        let _ = stop.send(true);
    });
    stopping
}
