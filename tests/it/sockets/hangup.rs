//! Twenty hangs up after 5 seconds and never sends a delivery again, so the handler must finish.
//!
//! The servers run in this process, because the test controls the handler.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::{HttpResponse, HttpServer, web};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::routing::post;
use axum::{Router, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::wire::Post;
use crate::samples::secret;

#[tokio::test]
async fn on_axum_the_handler_finishes_when_the_connection_is_reset() {
    let (scenario, mut events) = Scenario::new();
    let (handling, watching) = (scenario.clone(), scenario.clone());
    let layer = twenty_webhook_axum::TwentyWebhookLayer::new(secret());
    let handler = async move |_: twenty_webhook_axum::Webhook| {
        handling.handle().await;
        StatusCode::OK
    };
    let watch = middleware::from_fn(move |request: Request, next: Next| {
        let dropped = watching.clone().dropped();
        async move {
            let _dropped = dropped;
            next.run(request).await
        }
    });
    let app = Router::new().route("/webhooks/twenty", post(handler).layer(layer)).layer(watch);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async { serve(listener, app).await });
    scenario.run(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    scenario.deliver_again(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    server.abort();
}

#[actix_web::test]
async fn on_actix_the_handler_finishes_when_the_connection_is_reset() {
    let (scenario, mut events) = Scenario::new();
    let (handling, watching) = (scenario.clone(), scenario.clone());
    let webhook = twenty_webhook_actix::TwentyWebhookMiddleware::new(secret());
    let app = move || {
        let (handling, watching) = (handling.clone(), watching.clone());
        let handler = move |_: twenty_webhook_actix::Webhook| {
            let handling = handling.clone();
            async move {
                handling.handle().await;
                HttpResponse::Ok().finish()
            }
        };
        let resource = web::resource("/webhooks/twenty").wrap(webhook.clone()).route(web::post().to(handler));
        actix_web::App::new().service(resource).wrap_fn(move |request, service| {
            let dropped = watching.clone().dropped();
            let answer = service.call(request);
            async move {
                let _dropped = dropped;
                answer.await
            }
        })
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let addr = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    scenario.run(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    scenario.deliver_again(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    handle.stop(false).await;
}

/// A delivery whose handler waits for the test. Reports each step through a channel.
#[derive(Clone)]
pub(super) struct Scenario {
    post: Post,
    report: mpsc::UnboundedSender<&'static str>,
    proceed: Arc<Notify>,
}

impl Scenario {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (report, events) = mpsc::unbounded_channel();
        (Self { post: Post::new("1"), report, proceed: Arc::default() }, events)
    }

    pub(super) async fn handle(&self) {
        self.report.send("the handler started").unwrap();
        self.proceed.notified().await;
        self.report.send("the handler finished").unwrap();
    }

    /// Reports when it is dropped, which is when the framework drops the request.
    fn dropped(self) -> impl Drop {
        struct Dropped(Scenario);
        impl Drop for Dropped {
            fn drop(&mut self) {
                // An error means that the test has ended.
                let _ = self.0.report.send("the request ended");
            }
        }
        Dropped(self)
    }

    async fn run(&self, client: TcpStream, events: &mut mpsc::UnboundedReceiver<&'static str>) {
        self.hang_up(client, events).await;
        assert_eq!(next(events).await, "the request ended");
        self.finish(events).await;
    }

    /// Delivers, and resets the connection after the handler started.
    pub(super) async fn hang_up(&self, mut client: TcpStream, events: &mut mpsc::UnboundedReceiver<&'static str>) {
        client.write_all(&self.post.bytes()).await.unwrap();
        assert_eq!(next(events).await, "the handler started");
        client.set_zero_linger().unwrap();
    }

    pub(super) async fn finish(&self, events: &mut mpsc::UnboundedReceiver<&'static str>) {
        self.proceed.notify_one();
        assert_eq!(next(events).await, "the handler finished");
    }

    /// Delivers again. The receiver must not handle it again.
    async fn deliver_again(&self, mut client: TcpStream, events: &mut mpsc::UnboundedReceiver<&'static str>) {
        client.write_all(&self.post.bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(TIMEOUT, client.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(next(events).await, "the request ended");
    }
}

pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn next(events: &mut mpsc::UnboundedReceiver<&'static str>) -> &'static str {
    timeout(TIMEOUT, events.recv()).await.expect("an event within the timeout").unwrap()
}
