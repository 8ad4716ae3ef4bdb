//! An adapter for an unknown framework, made only with the public API of core.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use twenty_webhook_core::{Clock, RejectedRequest, RequestHead, Signer, Verifier, WebhookConfig, WebhookEvent};

use crate::samples::{BODY, NOW, secret};

/// The framework, with its own types for requests and answers.
mod framework {
    use super::{BTreeMap, Bytes};

    pub(super) struct Request {
        pub(super) verb: &'static str,
        pub(super) path: String,
        pub(super) headers: BTreeMap<String, String>,
        pub(super) chunks: Vec<Bytes>,
    }

    #[derive(Debug, PartialEq)]
    pub(super) struct Answer(pub(super) u16);
}

/// The adapter begins here and ends after `receive`.
struct Head<'a>(&'a framework::Request);

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.verb
    }

    fn path(&self) -> &str {
        &self.0.path
    }

    fn host(&self) -> Option<&str> {
        self.0.headers.get("host").map(String::as_str)
    }

    fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

async fn receive<F>(
    config: &WebhookConfig,
    request: framework::Request,
    handler: impl FnOnce(WebhookEvent) -> F + Send + 'static,
) -> framework::Answer
where
    F: Future<Output = u16> + Send + 'static,
{
    let answer = async {
        let chunks = pin!(stream::iter(request.chunks.iter().cloned().map(Ok)));
        let received = config.receive(&Head(&request), None, chunks, tokio::time::sleep).await?;
        // In its own task, so that it continues after the sender hung up.
        let work = async move {
            let event = received.event().clone();
            let claimed = received.claim(None).await?;
            let status = handler(event).await;
            claimed.finish(StatusCode::from_u16(status).unwrap()).await;
            Ok::<_, RejectedRequest>(status)
        };
        tokio::spawn(work).await.unwrap_or(Ok(500))
    };
    framework::Answer(answer.await.unwrap_or_else(|rejected| rejected.into_response().status().as_u16()))
}

#[tokio::test]
async fn it_can_do_what_the_two_adapters_do() {
    let observed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let codes = observed.clone();
    let config = WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)))
        .body_limit(1000)
        .observe(move |outcome| codes.lock().unwrap().push(outcome.code()));
    let unsigned = framework::Request { headers: BTreeMap::new(), ..request("GET", "", "") };
    let large = "x".repeat(1001);
    for (request, status, code) in [
        (request("POST", BODY, BODY), 500, "failed"),
        (request("POST", BODY, BODY), 204, "handled"),
        (request("POST", BODY, BODY), 200, "already_completed"),
        (request("POST", "{}", BODY), 401, "signature_mismatch"),
        (request("POST", &large, &large), 413, "body_too_large"),
        (request("GET", "", BODY), 405, "redirected"),
        (unsigned, 405, "method_not_allowed"),
    ] {
        let answer = receive(&config, request, move |_| async move { status }).await;
        assert_eq!((answer, observed.lock().unwrap().pop()), (framework::Answer(status), Some(code)));
    }
}

#[tokio::test]
async fn a_handler_whose_sender_hangs_up_finishes() {
    let config = WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)));
    let (proceed, finished) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (wait, done) = (proceed.clone(), finished.clone());
    let handler = move |_| async move {
        wait.notified().await;
        done.notify_one();
        204
    };
    tokio::select! {
        biased;
        answer = receive(&config, request("POST", BODY, BODY), handler) => panic!("{answer:?}"),
        () = async { for _ in 0..10 { tokio::task::yield_now().await } } => {}
    }
    proceed.notify_one();
    finished.notified().await;
    while receive(&config, request("POST", BODY, BODY), |_| async { 204 }).await != framework::Answer(200) {
        tokio::task::yield_now().await;
    }
}

fn request(verb: &'static str, body: &str, signed: &str) -> framework::Request {
    framework::Request {
        verb,
        path: "/hook".into(),
        headers: Signer::new(secret())
            .sign_at(signed.as_bytes(), NOW)
            .iter()
            .map(|(name, value)| (name.as_str().to_uppercase(), value.to_str().unwrap().to_owned()))
            .collect(),
        chunks: body.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect(),
    }
}
