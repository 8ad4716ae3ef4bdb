//! `listen --ui`: a page that shows deliveries as they come. On another port, which the tunnel does not expose.

mod history;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use reqwest::Url;
use serde_json::json;
use tokio::sync::broadcast;
use twenty_webhook_axum::Signer;

use self::history::{Entry, History};
use super::report::Report;
use crate::send::Client;
use crate::sign::curl;
use crate::{terminal, time};

/// The timeout of a resent delivery.
const RESEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The page, and what it shows. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ui(Arc<Shared>);

struct Shared {
    history: Mutex<History>,
    added: broadcast::Sender<Arc<Entry>>,
    signer: Signer,
    /// The target of `resend`: the receiver of --forward-to, or else this one.
    target: Url,
}

impl Ui {
    pub(super) fn new(signer: Signer, target: Url) -> Self {
        let shared = Shared { history: Mutex::default(), added: broadcast::channel(256).0, signer, target };
        Self(Arc::new(shared))
    }

    pub(super) fn add(&self, report: &Report) {
        let entry = self.history().add(report);
        // An error means that no page is open.
        let _ = self.0.added.send(entry);
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route("/", get(async || Html(include_str!("page.html"))))
            .route(
                "/style.css",
                get(async || text("text/css", concat!(include_str!("style.css"), include_str!("ui.css")))),
            )
            .route("/ui.js", get(async || text("text/javascript", include_str!("ui.js"))))
            .route("/events", get(events))
            .route("/delivery/{id}", get(details))
            .route("/delivery/{id}/curl", get(copied))
            .route("/delivery/{id}/download", get(download))
            .route("/delivery/{id}/resend", post(resend))
            .with_state(self.clone())
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.0.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: u64) -> Result<Arc<Entry>, StatusCode> {
        self.history().find(id).ok_or(StatusCode::NOT_FOUND)
    }
}

fn text(content_type: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

/// The stored deliveries, then new ones.
async fn events(State(ui): State<Ui>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (added, past) = (ui.0.added.subscribe(), ui.history().all());
    let coming = stream::unfold((added, ui), async |(mut added, ui)| {
        let entries = match added.recv().await {
            Ok(entry) => vec![entry],
            // The page was slower than the deliveries. It ignores those that it already shows.
            Err(broadcast::error::RecvError::Lagged(_)) => ui.history().all(),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((entries, (added, ui)))
    });
    let entries = stream::once(async { past }).chain(coming).flat_map(stream::iter);
    let events = entries.map(|entry| Ok(Event::default().data(terminal::json(&entry.summary))));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn details(State(ui): State<Ui>, Path(id): Path<u64>) -> Result<Response, StatusCode> {
    let entry = ui.find(id)?;
    let compared =
        ui.history().before(&entry).map(|before| (history::changes(&before, &entry), time::iso(before.received)));
    let headers: Vec<_> = entry
        .headers
        .iter()
        .map(|(name, value)| [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()])
        .collect();
    let details = json!({
        "delivery": entry.summary,
        "headers": headers,
        "body": terminal::pretty_json(&entry.body),
        "changes": compared.as_ref().map(|(changes, _)| changes),
        "compared_with": compared.as_ref().map(|(_, received)| received),
        "is_text": entry.text().is_some(),
    });
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], details.to_string()).into_response())
}

/// A curl command. It is signed now, because a receiver accepts a signature for 5 minutes only.
async fn copied(State(ui): State<Ui>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let entry = ui.find(id)?;
    let body = entry.text().ok_or(StatusCode::NOT_FOUND)?;
    Ok(curl(ui.0.target.as_str(), &ui.0.signer.sign_at(&entry.body, time::now()), body))
}

async fn download(State(ui): State<Ui>, Path(id): Path<u64>) -> Result<Response, StatusCode> {
    let entry = ui.find(id)?;
    let disposition = format!("attachment; filename=\"delivery-{id}.http\"");
    let disposition = HeaderValue::try_from(disposition).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let headers =
        [(CONTENT_DISPOSITION, disposition), (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))];
    Ok((headers, entry.to_file()).into_response())
}

/// Sends the same body with a new signature.
async fn resend(State(ui): State<Ui>, Path(id): Path<u64>) -> Result<String, StatusCode> {
    let entry = ui.find(id)?;
    let client = Client::new(&ui.0.target, RESEND_TIMEOUT).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut headers = ui.0.signer.sign_at(&entry.body, time::now());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(match client.post(headers, entry.body.clone()).await {
        Ok(answer) => answer.status.to_string(),
        Err(failure) => failure.why,
    })
}

#[cfg(test)]
mod tests {
    /// A package contains only its own files, so the shared style is a copy.
    #[test]
    fn the_look_is_the_dashboards() {
        let dashboard = concat!(env!("CARGO_MANIFEST_DIR"), "/../twenty-webhook-inbox/src/dashboard/style.css");
        assert_eq!(std::fs::read_to_string(dashboard).unwrap(), include_str!("style.css"), "copy it again");
    }
}
