use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::mpsc;
use tower::ServiceExt;
use twenty_webhook_axum::core::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use twenty_webhook_axum::{
    Diagnosis, EventPattern, Rejection, Signer, TwentyWebhookLayer, UnixMillis, Verifier, Webhook, WebhookConfig,
    WebhookEvent,
};

use super::ListenArgs;
use super::recorder::Recorder;
use super::report::{Forwarded, Report};
use crate::send::Client;
use crate::{saved, time};

/// The timeout of a forwarded request.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(30);

/// Passes every request to the receiver, and reports the result.
pub(super) struct Server {
    receiver: Router,
    save: Option<PathBuf>,
    events: Vec<EventPattern>,
    /// How many requests have arrived.
    arrived: AtomicU64,
    reports: mpsc::Sender<Report>,
}

impl Server {
    /// With `forward_signer`, each forwarded request is signed again.
    pub(super) fn new(
        args: &ListenArgs,
        verifier: Verifier,
        forward_signer: Option<Signer>,
        reports: mpsc::Sender<Report>,
    ) -> anyhow::Result<Self> {
        let client = args.forward_to.as_ref().map(|url| Client::new(url, FORWARD_TIMEOUT)).transpose()?;
        let layer = TwentyWebhookLayer::new(WebhookConfig::new(verifier).diagnose_rejections());
        let forward = Forward { client, signer: forward_signer, events: args.events.clone().into() };
        let route = post(accept).layer(layer).with_state(forward);
        let receiver = Router::new().fallback_service(route);
        Ok(Self { receiver, save: args.save.clone(), events: args.events.clone(), arrived: AtomicU64::new(0), reports })
    }

    pub(super) fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(observe).with_state(self)
    }

    async fn observe(&self, request: Request) -> Response {
        // Before the time, so that of two requests in one millisecond the first has the lower number.
        let number = self.arrived.fetch_add(1, Ordering::Relaxed);
        let (received, started) = (time::now(), Instant::now());
        let (parts, body) = request.into_parts();
        let recorder = Recorder::default();
        let observed = Request::from_parts(parts.clone(), recorder.record(body));
        let response = match self.receiver.clone().oneshot(observed).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let body = recorder.bytes();
        let extensions = response.extensions();
        let mut report = Report {
            received,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            status: response.status(),
            rejection: extensions.get::<Rejection>().cloned(),
            findings: extensions.get::<Diagnosis>().map(|diagnosis| diagnosis.findings().to_vec()).unwrap_or_default(),
            event: WebhookEvent::from_stored(body.clone()).ok(),
            headers: parts.headers.clone(),
            body: body.clone(),
            duration: started.elapsed(),
            forwarded: extensions.get().cloned(),
            saved: None,
        };
        // Only a POST is a delivery.
        if let Some(dir) =
            self.save.as_ref().filter(|_| report.method == Method::POST && report.is_wanted(&self.events))
        {
            let code = report.rejection.as_ref().map_or("verified", Rejection::code);
            let request = saved::Request {
                received,
                verdict: format!("{} {code}", report.status.as_u16()),
                path: &report.path,
                headers: &parts.headers,
                body: &body,
            };
            report.saved =
                Some(request.save(dir, number, report.label()).map_err(|error| format!("{}: {error}", dir.display())));
        }
        // An error means that the command is ending.
        let _ = self.reports.send(report).await;
        response
    }
}

/// In a separate task, so that a delivery is reported even if the sender closes the connection.
async fn observe(State(server): State<Arc<Server>>, request: Request) -> Response {
    let observing = tokio::spawn(async move { server.observe(request).await });
    observing.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Where verified deliveries are forwarded to, and which.
#[derive(Clone)]
struct Forward {
    client: Option<Client>,
    signer: Option<Signer>,
    events: Arc<[EventPattern]>,
}

/// Accepts what verifies.
async fn accept(State(forward): State<Forward>, headers: HeaderMap, Webhook(event): Webhook, body: Bytes) -> Response {
    let is_wanted = forward.events.is_empty() || forward.events.iter().any(|pattern| pattern.matches(&event));
    let Some(client) = forward.client.filter(|_| is_wanted) else { return StatusCode::OK.into_response() };
    let mut headers = end_to_end(headers);
    if let (Some(signer), Some(delivery)) = (&forward.signer, event.delivery()) {
        sign_again(&mut headers, signer, &body, delivery.sent_at());
    }
    let started = Instant::now();
    match client.post(headers, body).await {
        Ok(answer) => {
            let mut response = Response::new(Body::from(answer.body));
            *response.status_mut() = answer.status;
            if let Some(content_type) = answer.headers.get(header::CONTENT_TYPE) {
                response.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
            }
            response.extensions_mut().insert(Forwarded { status: Ok(answer.status), duration: answer.duration });
            response
        }
        Err(failure) => {
            let mut response = StatusCode::BAD_GATEWAY.into_response();
            response.extensions_mut().insert(Forwarded { status: Err(failure.why), duration: started.elapsed() });
            response
        }
    }
}

/// Replaces the signature. The timestamp and the nonce stay the same.
fn sign_again(headers: &mut HeaderMap, signer: &Signer, body: &[u8], sent_at: UnixMillis) {
    let new = signer.sign_at(body, sent_at);
    for name in [&TIMESTAMP_HEADER, &SIGNATURE_HEADER] {
        if let Some(value) = new.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
}

/// The headers without those that belong to one connection.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
    ] {
        headers.remove(name);
    }
    headers
}
