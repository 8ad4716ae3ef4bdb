//! An adapter for a framework that this project knows nothing of, made with what the two adapters are made with.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use twenty_webhook_core::{Clock, Refusal, RequestHead, Signer, Verifier, WebhookConfig, WebhookEvent};

use crate::samples::{BODY, NOW, secret};

/// The framework: its own requests, its own answers.
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

/// The adapter: from here to its end.
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

async fn receive(
    config: &WebhookConfig,
    request: framework::Request,
    handler: impl AsyncFn(&WebhookEvent) -> u16,
) -> framework::Answer {
    let answer = async {
        let chunks = pin!(stream::iter(request.chunks.iter().cloned().map(Ok)));
        let received = config.receive(&Head(&request), None, chunks, tokio::time::sleep).await?;
        let event = received.event().clone();
        let admission = received.claim(None).await?;
        let status = handler(&event).await;
        admission.finish(StatusCode::from_u16(status).unwrap()).await;
        Ok::<_, Refusal>(status)
    };
    framework::Answer(answer.await.unwrap_or_else(|refusal| refusal.into_response().status().as_u16()))
}

#[tokio::test]
async fn it_has_all_that_the_two_adapters_have() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let codes = told.clone();
    let config = WebhookConfig::new(Verifier::new(secret()).clock(Clock::new(|| NOW)))
        .body_limit(1000)
        .observe(move |outcome| codes.lock().unwrap().push(outcome.code()));
    let request = |verb, body: &str, signed: &str| framework::Request {
        verb,
        path: "/hook".into(),
        headers: Signer::new(secret())
            .sign_at(signed.as_bytes(), NOW)
            .iter()
            .map(|(name, value)| (name.as_str().to_uppercase(), value.to_str().unwrap().to_owned()))
            .collect(),
        chunks: body.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect(),
    };
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
        let answer = receive(&config, request, async |_| status).await;
        assert_eq!((answer, told.lock().unwrap().pop()), (framework::Answer(status), Some(code)));
    }
}
