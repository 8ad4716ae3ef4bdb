//! Against a real `nats-server`.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::TryStreamExt;
use tempfile::TempDir;
use tower::ServiceExt;
use twenty_webhook_axum::{Secret, TwentyWebhookLayer};
use twenty_webhook_testing::{SignedRequest, event};

#[tokio::test]
async fn a_delivery_that_reaches_two_forwarders_is_stored_once() {
    let Some(nats) = Server::start().await else { return };
    let secret = Secret::new("s3cret").unwrap();
    // Each has its own replay guard in memory, which does not know the deliveries of the other.
    let (first, second) = (nats.forwarder(&secret).await, nats.forwarder(&secret).await);
    let delivery = event("person.created").signed_with(&secret);
    assert_eq!(send(&first, &delivery).await, StatusCode::ACCEPTED);
    assert_eq!(send(&second, &delivery.rerun()).await, StatusCode::ACCEPTED);
    let odd = event("person.created").member("eventName", "a person>.created").signed_with(&secret);
    assert_eq!(send(&second, &odd).await, StatusCode::ACCEPTED);

    assert_eq!(
        nats.stored(2).await,
        [
            ("twenty.person.created".to_owned(), delivery.body().to_vec()),
            ("twenty.other".to_owned(), odd.body().to_vec())
        ]
    );
}

#[tokio::test]
async fn what_jetstream_does_not_store_is_answered_with_503() {
    let Some(mut nats) = Server::start().await else { return };
    let secret = Secret::new("s3cret").unwrap();
    let forwarder = nats.forwarder(&secret).await;
    nats.stop();
    let delivery = event("person.created").signed_with(&secret);
    assert_eq!(send(&forwarder, &delivery).await, StatusCode::SERVICE_UNAVAILABLE);
}

async fn send(app: &Router, delivery: &SignedRequest) -> StatusCode {
    app.clone().oneshot(delivery.http::<Body>()).await.unwrap().status()
}

/// A `nats-server` with JetStream on a free port. It ends when it is dropped.
struct Server {
    process: Child,
    url: String,
    _dir: TempDir,
}

impl Server {
    /// `None` where it is not installed, which fails the test if `CI_MUST_RUN_ALL` is set.
    async fn start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("nats-server");
        command
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"])
            .arg(dir.path());
        let Ok(process) = command.stderr(Stdio::null()).spawn() else {
            let why = "SKIPPED: nats-server is not installed";
            assert!(std::env::var_os("CI_MUST_RUN_ALL").is_none(), "{why}");
            // The real stderr, which the test harness does not capture.
            let _ = writeln!(std::io::stderr(), "{why}");
            return None;
        };
        let server = Self { process, url: format!("nats://127.0.0.1:{port}"), _dir: dir };
        let connected = tokio::time::timeout(Duration::from_secs(20), async {
            while async_nats::connect(&server.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        connected.await.expect("nats-server starts");
        Some(server)
    }

    async fn forwarder(&self, secret: &Secret) -> Router {
        crate::app(TwentyWebhookLayer::new(secret.clone()), crate::jetstream(&self.url).await.unwrap())
    }

    /// The subject and the payload of each message, of which there must be `count`.
    async fn stored(&self, count: usize) -> Vec<(String, Vec<u8>)> {
        let stream = crate::jetstream(&self.url).await.unwrap().get_stream("twenty").await.unwrap();
        let consumer = stream.create_consumer(pull::Config::default()).await.unwrap();
        // One more than there should be, but no longer than it takes to be sure.
        let messages = consumer.fetch().max_messages(count + 1).messages().await.unwrap();
        messages.map_ok(|message| (message.subject.to_string(), message.payload.to_vec())).try_collect().await.unwrap()
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
