//! A server that shuts down waits for the handlers whose sender has hung up, and for none of them for ever.
//!
//! In this process, because the test must tell the handler when to go on.

use std::time::Duration;

use actix_web::{HttpResponse, HttpServer, web};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::routing::post;
use futures_util::future::LocalBoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::hangup::{PATIENCE, Story};
use crate::samples::secret;

#[actix_web::test]
async fn on_axum_a_handler_whose_sender_has_hung_up_finishes() {
    a_handler_whose_sender_has_hung_up_finishes(axum).await;
}

#[actix_web::test]
async fn on_actix_a_handler_whose_sender_has_hung_up_finishes() {
    a_handler_whose_sender_has_hung_up_finishes(actix).await;
}

#[actix_web::test]
async fn on_axum_a_handler_that_never_ends_is_given_up() {
    a_handler_that_never_ends_is_given_up(axum).await;
}

#[actix_web::test]
async fn on_actix_a_handler_that_never_ends_is_given_up() {
    a_handler_that_never_ends_is_given_up(actix).await;
}

async fn a_handler_whose_sender_has_hung_up_finishes(start: Start) {
    let (story, mut told) = Story::new();
    let (listener, stop, stopped) = listener_and_signal();
    let addr = listener.local_addr().unwrap();
    let mut server = actix_web::rt::spawn(start(listener, story.clone(), stopped, Duration::from_secs(60)));
    story.hang_up(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    stop.send(()).unwrap();
    // By then, a server that does not wait for it has ended.
    sleep(Duration::from_millis(1500)).await;
    assert!(!server.is_finished());
    story.finish(&mut told).await;
    timeout(PATIENCE, &mut server).await.expect("the server ends").unwrap();
}

async fn a_handler_that_never_ends_is_given_up(start: Start) {
    let (story, mut told) = Story::new();
    let (listener, stop, stopped) = listener_and_signal();
    let addr = listener.local_addr().unwrap();
    let server = actix_web::rt::spawn(start(listener, story.clone(), stopped, Duration::from_millis(100)));
    story.hang_up(TcpStream::connect(addr).await.unwrap(), &mut told).await;
    stop.send(()).unwrap();
    timeout(PATIENCE, server).await.expect("the server ends").unwrap();
}

/// Serves the story until the signal, and then for as long as the deadline.
type Start = fn(TcpListener, Story, oneshot::Receiver<()>, Duration) -> LocalBoxFuture<'static, ()>;

fn axum(
    listener: TcpListener,
    story: Story,
    signal: oneshot::Receiver<()>,
    deadline: Duration,
) -> LocalBoxFuture<'static, ()> {
    let layer = twenty_webhook_axum::TwentyWebhookLayer::new(secret());
    let handler = async move |_: twenty_webhook_axum::Webhook| {
        story.handle().await;
        StatusCode::OK
    };
    // hyper notices only with the answer that the sender is gone. So something else gives the request up.
    let give_up = middleware::from_fn(async |request: Request, next: Next| {
        timeout(Duration::from_millis(50), next.run(request)).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)
    });
    let app = Router::new().route("/webhooks/twenty", post(handler).layer(layer.clone())).layer(give_up);
    let serve = twenty_webhook_axum::serve(listener, app).with_graceful_shutdown(async { signal.await.unwrap() });
    let serve = serve.drain(&layer).shutdown_deadline(deadline);
    Box::pin(serve.into_future())
}

fn actix(
    listener: TcpListener,
    story: Story,
    signal: oneshot::Receiver<()>,
    deadline: Duration,
) -> LocalBoxFuture<'static, ()> {
    let middleware = twenty_webhook_actix::TwentyWebhookMiddleware::new(secret());
    let wrapped = middleware.clone();
    let server = HttpServer::new(move || {
        let story = story.clone();
        let handler = move |_: twenty_webhook_actix::Webhook| {
            let story = story.clone();
            async move {
                story.handle().await;
                HttpResponse::Ok().finish()
            }
        };
        let resource = web::resource("/webhooks/twenty").wrap(wrapped.clone()).route(web::post().to(handler));
        actix_web::App::new().service(resource)
    });
    let listener = listener.into_std().unwrap();
    let serve = twenty_webhook_actix::serve(listener, server.workers(1));
    let serve = serve.with_graceful_shutdown(async { signal.await.unwrap() }).drain(&middleware);
    Box::pin(async move { serve.shutdown_deadline(deadline).await.unwrap() })
}

fn listener_and_signal() -> (TcpListener, oneshot::Sender<()>, oneshot::Receiver<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (stop, stopped) = oneshot::channel();
    (TcpListener::from_std(listener).unwrap(), stop, stopped)
}
