//! Diagnosing logs more and changes nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::cell::RefCell;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::ServiceExt;
use twenty_webhook_axum::{
    Clock, Diagnosis, Finding, Secret, Signer, TwentyWebhookLayer, UnixMillis, Verifier, Webhook, WebhookConfig,
};

#[derive(Deserialize)]
struct Requests {
    secret: String,
    requests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    now: u64,
    headers: Vec<(String, String)>,
    body: serde_json::Value,
    /// Whether each character of the body is one byte.
    #[serde(default)]
    latin1: bool,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    findings: Vec<String>,
}

impl Case {
    fn config(&self) -> WebhookConfig {
        let now = UnixMillis::from_millis(self.now);
        let mut secrets = self.secrets.iter().map(|text| Secret::new(text).unwrap());
        let verifier = Verifier::new(secrets.next().unwrap()).clock(Clock::new(move || now));
        WebhookConfig::new(secrets.fold(verifier, Verifier::also_accept))
    }

    fn request(&self) -> Request<Body> {
        let body = match (&self.body["text"], &self.body) {
            (serde_json::Value::String(text), _) | (_, serde_json::Value::String(text)) => text.clone(),
            _ => "a".repeat(usize::try_from(self.body["pad_to"].as_u64().unwrap()).unwrap()),
        };
        let latin1 = || body.chars().map(|char| u8::try_from(char).unwrap()).collect();
        let body = if self.latin1 { latin1() } else { body.clone().into_bytes() };
        let mut request = Request::post("/").body(Body::from(body)).unwrap();
        for (name, value) in &self.headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        request
    }
}

fn vectors<T: DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn mistakes() -> Vec<Case> {
    vectors("mistakes.json")
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    handled: usize,
}

async fn answer(config: WebhookConfig, request: Request<Body>) -> (Answer, Option<Diagnosis>) {
    Log::start();
    let handled = Arc::new(AtomicUsize::new(0));
    let receive = {
        let handled = Arc::clone(&handled);
        async move |Webhook(_): Webhook| {
            handled.fetch_add(1, Ordering::SeqCst);
            "handled"
        }
    };
    let app = Router::new().route("/", post(receive).layer(TwentyWebhookLayer::new(config)));
    let response = app.oneshot(request).await.unwrap();
    let diagnosis = response.extensions().get().cloned();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (Answer { status: parts.status, headers: parts.headers, body, handled: handled.load(Ordering::SeqCst) }, diagnosis)
}

#[tokio::test]
async fn diagnosing_does_not_change_the_answer() {
    let Requests { secret, requests } = vectors("requests.json");
    let requests = requests.into_iter().map(|case| Case { secrets: vec![secret.clone()], ..case });
    for case in requests.chain(mistakes()) {
        let (plain, none) = answer(case.config(), case.request()).await;
        let (diagnosed, _) = answer(case.config().diagnose_rejections(), case.request()).await;
        assert_eq!(plain, diagnosed, "{}", case.name);
        assert!(none.is_none(), "{}: nothing is diagnosed by default", case.name);
    }
}

#[tokio::test]
async fn the_log_shows_the_diagnosis_of_a_rejected_request() {
    for case in mistakes() {
        let (answer, diagnosis) = answer(case.config().diagnose_rejections(), case.request()).await;
        let text = Log::text();
        if answer.status == StatusCode::OK {
            assert!(diagnosis.is_none() && text.is_empty(), "{}: {text}", case.name);
            continue;
        }
        let diagnosis = diagnosis.unwrap_or_else(|| panic!("{}", case.name));
        let codes: Vec<_> = diagnosis.findings().iter().map(Finding::code).collect();
        assert_eq!(codes, case.findings, "{}", case.name);
        for line in text.lines().filter(|line| line.contains("diagnosed")) {
            assert!(line.contains(" WARN ") && line.contains(" path=/"), "{}: {line}", case.name);
        }
        for finding in diagnosis.findings() {
            assert!(text.contains(&format!("Twenty webhook diagnosed: {finding}")), "{}: {text}", case.name);
        }
        for secret in &case.secrets {
            let secret = secret.trim_matches(|char: char| !char.is_ascii_alphanumeric());
            assert!(!text.contains(secret), "{}", case.name);
        }
        assert!(!text.contains("Zo"), "{}: the body is not logged", case.name);
    }
}

#[tokio::test(start_paused = true)]
async fn diagnosing_waits_for_a_body_only_until_the_deadline() {
    let config = WebhookConfig::new(Secret::new("s3cret").unwrap()).body_deadline(Duration::from_secs(2));
    let pending = Body::new(Pending);
    let started = Instant::now();
    let (answer, diagnosis) = answer(config.diagnose_rejections(), Request::post("/").body(pending).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(diagnosis.is_none());
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test]
async fn diagnosing_does_not_read_a_body_over_the_limit() {
    let config = WebhookConfig::new(Secret::new("s3cret").unwrap()).body_limit(1000).diagnose_rejections();
    let polls = Arc::new(AtomicUsize::new(0));
    let endless = Body::new(Endless(Arc::clone(&polls)));
    let (answer, diagnosis) = answer(config, Request::post("/").body(endless).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(diagnosis.is_none());
    assert_eq!(polls.load(Ordering::SeqCst), 11, "11 chunks of 100 bytes");
}

#[tokio::test]
async fn a_diagnosed_secret_is_still_rejected() {
    let body = r#"{"eventName":"person.created"}"#;
    let mut request = Request::post("/").body(Body::from(body)).unwrap();
    request.headers_mut().extend(Signer::new(Secret::new("s3cret").unwrap()).sign(body.as_bytes()));
    let config = WebhookConfig::new(Secret::new("s3cret ").unwrap()).diagnose_rejections();
    let (answer, diagnosis) = answer(config, request).await;
    assert_eq!((answer.status, answer.handled), (StatusCode::UNAUTHORIZED, 0));
    assert_eq!(diagnosis.unwrap().findings()[0].code(), "secret_white_space");
}

struct Pending;

impl axum::body::HttpBody for Pending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        std::task::Poll::Pending
    }
}

struct Endless(Arc<AtomicUsize>);

impl axum::body::HttpBody for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'a'; 100])))))
    }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of this thread. All tests share one subscriber: a scoped one misses events whose call site another thread registered first.
struct Log;

impl Log {
    fn start() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
        LOG.take();
    }

    fn text() -> String {
        String::from_utf8(LOG.take()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
