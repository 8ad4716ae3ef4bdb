//! Twenty hangs up after 5 seconds, and never sends a delivery again: so the handler must finish.
//!
//! In this process, because the test must tell the handler when to go on.

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
    let (story, mut told) = Story::new();
    let (handling, watching) = (story.clone(), story.clone());
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
    story.play(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    story.sent_again(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    server.abort();
}

#[actix_web::test]
async fn on_actix_the_handler_finishes_when_the_connection_is_reset() {
    let (story, mut told) = Story::new();
    let (handling, watching) = (story.clone(), story.clone());
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
    story.play(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    story.sent_again(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    handle.stop(false).await;
}

/// What happens, in order, and the word to go on.
#[derive(Clone)]
pub(super) struct Story {
    post: Post,
    tell: mpsc::UnboundedSender<&'static str>,
    go_on: Arc<Notify>,
}

impl Story {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self { post: Post::new("1"), tell, go_on: Arc::default() }, told)
    }

    pub(super) async fn handle(&self) {
        self.tell.send("the handler began").unwrap();
        self.go_on.notified().await;
        self.tell.send("the handler finished").unwrap();
    }

    /// Tells when it is dropped: when the framework has given up the request.
    fn dropped(self) -> impl Drop {
        struct Dropped(Story);
        impl Drop for Dropped {
            fn drop(&mut self) {
                // Nobody listens any more when the server is stopped.
                let _ = self.0.tell.send("the request ended");
            }
        }
        Dropped(self)
    }

    async fn play(&self, client: TcpStream, told: &mut mpsc::UnboundedReceiver<&'static str>) {
        self.hang_up(client, told).await;
        assert_eq!(next(told).await, "the request ended");
        self.finish(told).await;
    }

    /// Delivers, and resets the connection when the handler has begun.
    pub(super) async fn hang_up(&self, mut client: TcpStream, told: &mut mpsc::UnboundedReceiver<&'static str>) {
        client.write_all(&self.post.bytes()).await.unwrap();
        assert_eq!(next(told).await, "the handler began");
        client.set_zero_linger().unwrap();
    }

    pub(super) async fn finish(&self, told: &mut mpsc::UnboundedReceiver<&'static str>) {
        self.go_on.notify_one();
        assert_eq!(next(told).await, "the handler finished");
    }

    /// It was handled, so it is not handled again.
    async fn sent_again(&self, mut client: TcpStream, told: &mut mpsc::UnboundedReceiver<&'static str>) {
        client.write_all(&self.post.bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(next(told).await, "the request ended");
    }
}

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn next(told: &mut mpsc::UnboundedReceiver<&'static str>) -> &'static str {
    timeout(PATIENCE, told.recv()).await.expect("something happens").unwrap()
}
