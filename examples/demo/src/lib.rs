//! Lets you try the example receivers with one command: makes a secret, prints a `curl` line that uses it, and prints a line for each
//! event. Take [`log_to_stderr`] for your own receiver; it does not need the rest.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Once;

use serde::Serialize;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use twenty_webhook_core::{Payload, Secret, WebhookEvent};

const SECRET: &str = "TWENTY_WEBHOOK_SECRET";

/// How many log lines wait while stderr is not read, about 2 MB. Further lines are dropped.
const LOG_LINES: usize = 10_000;

/// Logs to stderr, at level `info` or at the level in `RUST_LOG`.
///
/// By default, `tracing_subscriber` writes each line in the thread that serves a request. It blocks that thread while stderr is not
/// read, and panics in it when stderr is closed. Either way, deliveries are lost. Here, a separate thread writes the log, and drops lines
/// that are not read. Keep the guard until the end of `main`: dropping it writes the last lines.
#[must_use = "dropping the guard writes the last lines of the log"]
pub fn log_to_stderr() -> WorkerGuard {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = io::stderr().is_terminal();
    let (stderr, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LOG_LINES).finish(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(colours)
        // Reporting an internal error on stderr would panic when stderr is closed.
        .log_internal_errors(false)
        .init();
    guard
}

/// The address in `LISTEN_ADDR`, or `127.0.0.1:3000`.
pub fn listen_addr() -> String {
    env::var("LISTEN_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned())
}

/// The secret in `TWENTY_WEBHOOK_SECRET`. If the variable is not set, makes a random secret, and prints it with a `curl` line that
/// delivers a sample to `addr`.
///
/// # Errors
/// If the variable is set but blank, or if the system has no random numbers.
pub fn secret(addr: SocketAddr) -> anyhow::Result<Secret> {
    if env::var_os(SECRET).is_some() {
        return Ok(Secret::from_env(SECRET)?);
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let text = hex::encode(random);
    eprintln!(
        "{SECRET} is not set: for this run, the secret is {text}\n\nIn another terminal, deliver a sample:\n\n{}\n\n\
         Then receive from Twenty: make a webhook in its settings, under API & Webhooks, with a URL that reaches this receiver at\n\
         /webhooks/twenty. Set {SECRET} to the webhook's secret, and start this receiver again.\n",
        curl(addr, &text)
    );
    Ok(Secret::new(text)?)
}

/// A POSIX shell line that signs a sample with openssl and sends it. The sample contains the time, so each second makes a new delivery.
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
/// The line is only for you to read, so a delivery counts as handled even if it cannot be printed; the log says so once. If printing is
/// the real work of your handler, return an error instead: a copy of the delivery is then accepted, and an inbox retries. This call blocks
/// while stdout is not read.
pub fn print(event: &WebhookEvent) {
    static LOGGED: Once = Once::new();
    if let Err(error) = print_line(event) {
        LOGGED.call_once(|| tracing::error!(%error, "stdout is closed: events are handled, but no longer printed"));
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
