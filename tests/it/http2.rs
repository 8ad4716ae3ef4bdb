//! The vectors over HTTP/2, with hyper-util's server: `:authority`, DATA frames and trailers. Twenty sends HTTP/1.1, but a proxy may send
//! HTTP/2.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use twenty_webhook_axum::{TwentyWebhookLayer, Webhook};
use twenty_webhook_core::{SourceError, Target, Verifier, VerifierSource, WebhookConfig};

use crate::receivers::{HANDLED, Seen, header_map, pieces, verifier};
use crate::vectors::{self, Case, Expect};

type Body = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, std::convert::Infallible>>>>;

/// The case's verifier. Asserts the host and the path.
struct ByAuthority(Verifier);

impl VerifierSource for ByAuthority {
    async fn verifier(&self, target: &Target<'_>) -> Result<Option<Verifier>, SourceError> {
        assert_eq!((target.host, target.path), (Some("hooks.example.test"), "/hook"));
        Ok(Some(self.0.clone()))
    }
}

async fn connect(case: &Case, seen: &Seen) -> SendRequest<Body> {
    let (seen, now) = (seen.clone(), case.now);
    let handler = async move |Webhook(event): Webhook, body: Bytes| {
        seen.push(event, Some(body));
        StatusCode::from_u16(HANDLED).unwrap()
    };
    // Long, because a slow machine takes a while for 32 MiB in small frames.
    let config = WebhookConfig::new(ByAuthority(verifier(case)))
        .clock(twenty_webhook_core::Clock::new(move || now))
        .body_deadline(Duration::from_secs(120));
    let app = Router::new().route("/hook", post(handler).layer(TwentyWebhookLayer::new(config))).with_state(());
    let (client, server) = tokio::io::duplex(256 * 1024);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(app);
        let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(server), service).await;
    });
    let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    requests
}

fn request(case: &Case) -> Request<Body> {
    let data = pieces(&case.body, 3).into_iter().map(Frame::data);
    let trailers = Frame::trailers(HeaderMap::from_iter([("x-checksum".parse().unwrap(), "1".parse().unwrap())]));
    let frames: Vec<_> = data.chain([trailers]).map(Ok).collect();
    let mut request =
        Request::post("http://hooks.example.test/hook?a=b").body(StreamBody::new(stream::iter(frames))).unwrap();
    *request.headers_mut() = header_map(case);
    request
}

#[tokio::test]
async fn every_vector_has_the_same_result_over_http2() {
    for case in vectors::signed_bodies().into_iter().chain(vectors::requests()) {
        let seen = Seen::default();
        let mut requests = connect(&case, &seen).await;
        let response =
            requests.send_request(request(&case)).await.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        match &case.expect {
            Expect::Event(name) => {
                assert_eq!(response.status(), HANDLED, "{}", case.name);
                let handled = seen.take();
                let [(event, body)] = handled.as_slice() else { panic!("{}", case.name) };
                assert_eq!((event.name().as_str(), body.as_ref()), (name.as_str(), Some(&case.body)), "{}", case.name);
            }
            Expect::Rejected { status, .. } => {
                assert_eq!(response.status(), *status, "{}", case.name);
                assert!(seen.take().is_empty(), "{}", case.name);
            }
        }
    }
}
