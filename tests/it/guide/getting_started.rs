use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tracing_appender::non_blocking::WorkerGuard;
use twenty_webhook_axum::records::{Opportunity, Person};
use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer, WebhookEvent};
use twenty_webhook_axum::{escaped, listener, serve, shutdown_signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First of all: what is sent from now on waits in the socket's queue.
    let listener = listener("127.0.0.1:3000")?;
    let _log = log_to_stderr();
    let webhook = TwentyWebhookLayer::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?);
    serve(listener, app(webhook.clone())).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
    Ok(())
}

fn app(webhook: TwentyWebhookLayer) -> Router {
    Router::new().route("/webhooks/twenty", post(events()).layer(webhook)).route("/health", get(StatusCode::NO_CONTENT))
}

fn events() -> EventRouter {
    EventRouter::new()
        .on("person.created", welcome)
        .on("opportunity.updated", moved)
        .when_changed(["stage"])
        .fallback(async |event: WebhookEvent| tracing::info!("not handled: {}", escaped(event.name().as_str())))
}

async fn welcome(_: WebhookEvent, person: Person) -> Result<(), std::io::Error> {
    tracing::info!("welcome, {}", escaped(&person.name.unwrap_or_default().to_string()));
    Ok(())
}

async fn moved(_: WebhookEvent, deal: Opportunity) -> Result<(), std::io::Error> {
    tracing::info!("now in {}", escaped(&deal.stage.unwrap_or_default()));
    Ok(())
}

/// A separate thread writes the log. While nothing reads stderr, it drops lines, and no request waits for it.
fn log_to_stderr() -> WorkerGuard {
    let (stderr, guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt().with_writer(stderr).with_ansi(false).log_internal_errors(false).init();
    guard
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;
    use twenty_webhook_axum::{Secret, TwentyWebhookLayer};
    use twenty_webhook_testing::{ReceiverResponse, Tamper, event};

    #[tokio::test]
    async fn only_genuine_deliveries_are_handled() {
        let secret = Secret::new("s3cret").unwrap();
        let app = super::app(TwentyWebhookLayer::new(secret.clone()));

        let delivery = event("person.created").signed_with(&secret);
        app.clone().oneshot(delivery.http::<Body>()).await.unwrap().assert_handled();

        let forged = event("person.created").seed(2).signed_with(&secret).tampered(Tamper::Body);
        app.oneshot(forged.http::<Body>()).await.unwrap().assert_rejected("signature_mismatch");
    }
}
