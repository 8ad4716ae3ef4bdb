//! What lets the example receivers be tried with one command: a secret to try them with, a `curl` line that uses it, and the line
//! that they print for an event. Your own receiver needs none of it.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Once;

use serde::Serialize;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use twenty_webhook_core::{Payload, Secret, WebhookEvent};

const SECRET: &str = "TWENTY_WEBHOOK_SECRET";

/// How many lines of the log wait while stderr is not read; then lines are dropped. Some 2 MB.
const LOG_LINES: usize = 10_000;

/// Sends the log to stderr, from `info` up unless `RUST_LOG` says otherwise.
///
/// By default, `tracing_subscriber` writes each line in the thread that serves a request. Once the program that reads the log has ended,
/// that panics; while it does not read, that waits. Either way deliveries are lost. So a thread of its own writes the log here, and lines
/// that nothing takes are dropped. Keep what is returned until the end of `main`: it then writes the last lines.
#[must_use = "the last lines of the log are written when it is dropped"]
pub fn log_to_stderr() -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal();
    let (stderr, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LOG_LINES).finish(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(colours)
        // A line that cannot be formatted or written is not reported on stderr, because that panics if stderr is gone.
        .log_internal_errors(false)
        .init();
    guard
}

/// Where to listen: `LISTEN_ADDR`, or `127.0.0.1:3000`.
pub fn listen_addr() -> String {
    env::var("LISTEN_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned())
}

/// The secret in `TWENTY_WEBHOOK_SECRET`. Where there is none, a fresh random one, printed together with a `curl` line that
/// delivers a sample to `addr`.
///
/// # Errors
/// If the variable is set but blank, or the system has no randomness.
pub fn secret(addr: SocketAddr) -> anyhow::Result<Secret> {
    if env::var_os(SECRET).is_some() {
        return Ok(Secret::from_env(SECRET)?);
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let text = hex::encode(random);
    eprintln!(
        "{SECRET} is not set: for this run, the secret is {text}\n\nIn another terminal, deliver a sample:\n\n{}\n\n\
         Then receive from Twenty: make a webhook in its settings, under APIs & Webhooks, with a URL that reaches this receiver at\n\
         /webhooks/twenty. Set {SECRET} to the webhook's secret, and start this receiver again.\n",
        curl(addr, &text)
    );
    Ok(Secret::new(text)?)
}

/// A line for a POSIX shell that signs a sample with openssl and sends it. Each second makes a new one.
fn curl(addr: SocketAddr, secret: &str) -> String {
    let body = r#"{"eventName":"person.created","objectMetadata":{"id":"3f0b6a11","nameSingular":"person"},"workspaceId":"b1d6c7a2","webhookId":"e4a0f7d3","eventDate":"'$(date -u +%FT%TZ)'","record":{"id":"6b1f20a4","name":{"firstName":"Ada","lastName":"Lovelace"}}}"#;
    format!(
        "B='{body}' T=$(date +%s)000; curl -i http://{addr}/webhooks/twenty -H 'Content-Type: application/json' \
         -H \"X-Twenty-Webhook-Timestamp: $T\" \
         -H \"X-Twenty-Webhook-Signature: $(printf %s \"$T:$B\" | openssl dgst -sha256 -hmac {secret} | sed 's/.* //')\" \
         --data-binary \"$B\""
    )
}

/// Prints one line of JSON for an event.
///
/// The line is there to be looked at. It is not the work that a delivery is for, so a delivery whose line cannot be printed is
/// handled all the same; the log says so once. If your work *is* to print, let the handler fail instead: a copy of the delivery is then let
/// in, and an inbox tries again. A program that holds the other end of stdout and does not read it stops the receiver.
pub fn print(event: &WebhookEvent) {
    static GONE: Once = Once::new();
    if let Err(error) = print_line(event) {
        GONE.call_once(|| tracing::error!(%error, "stdout is gone: events are handled, but not printed any more"));
    }
}

fn print_line(event: &WebhookEvent) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        object: &'a str,
        action: &'a str,
        record_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        items: Option<usize>,
        delivery_id: String,
        updated_fields: Option<&'a [String]>,
    }
    let line = serde_json::to_string(&Line {
        name: event.name().as_str(),
        object: event.object(),
        action: event.action().as_str(),
        record_id: event.record_id(),
        items: match event.payload() {
            Payload::Batch { items, .. } => Some(items.len()),
            _ => None,
        },
        delivery_id: event.delivery_id().to_string(),
        updated_fields: event.updated_fields(),
    })?;
    writeln!(io::stdout(), "{line}")
}
