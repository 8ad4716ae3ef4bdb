//! A shutdown waits for handlers whose sender has hung up, until its deadline.
//!
//! The servers run in this process, because the test controls the handler.

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

use super::hangup::{Scenario, TIMEOUT};
use crate::logs::Log;
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
async fn on_axum_a_handler_that_never_ends_is_dropped() {
    a_handler_that_never_ends_is_dropped(axum).await;
}

#[actix_web::test]
async fn on_actix_a_handler_that_never_ends_is_dropped() {
    a_handler_that_never_ends_is_dropped(actix).await;
}

#[actix_web::test]
async fn on_axum_a_short_deadline_leaves_time_to_stop() {
    a_short_deadline_leaves_time_to_stop(axum).await;
}

#[actix_web::test]
async fn on_actix_a_short_deadline_leaves_time_to_stop() {
    a_short_deadline_leaves_time_to_stop(actix).await;
}

async fn a_handler_whose_sender_has_hung_up_finishes(start: Start) {
    let (scenario, mut events) = Scenario::new();
    let (listener, stop, stopped) = listener_and_signal();
    let addr = listener.local_addr().unwrap();
    let mut server = actix_web::rt::spawn(start(listener, scenario.clone(), stopped, Duration::from_secs(60)));
    scenario.hang_up(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    stop.send(()).unwrap();
    // A server that does not wait for the handler would have ended by now.
    sleep(Duration::from_millis(1500)).await;
    assert!(!server.is_finished());
    scenario.finish(&mut events).await;
    timeout(TIMEOUT, &mut server).await.expect("the server ends").unwrap();
}

async fn a_handler_that_never_ends_is_dropped(start: Start) {
    let (scenario, mut events) = Scenario::new();
    let (listener, stop, stopped) = listener_and_signal();
    let addr = listener.local_addr().unwrap();
    let server = actix_web::rt::spawn(start(listener, scenario.clone(), stopped, Duration::from_millis(100)));
    scenario.hang_up(TcpStream::connect(addr).await.unwrap(), &mut events).await;
    stop.send(()).unwrap();
    timeout(TIMEOUT, server).await.expect("the server ends").unwrap();
}

async fn a_short_deadline_leaves_time_to_stop(start: Start) {
    let log = Log::start();
    let (listener, stop, stopped) = listener_and_signal();
    let server = actix_web::rt::spawn(start(listener, Scenario::new().0, stopped, Duration::from_secs(1)));
    stop.send(()).unwrap();
    timeout(TIMEOUT, server).await.expect("the server ends").unwrap();
    let lines = log.take_lines_of("twenty_webhook");
    assert!(matches!(&lines[..], [line] if line.contains("shutting down")), "{lines:#?}");
}

/// Serves until the signal, and then shuts down within the deadline.
type Start = fn(TcpListener, Scenario, oneshot::Receiver<()>, Duration) -> LocalBoxFuture<'static, ()>;

fn axum(
    listener: TcpListener,
    scenario: Scenario,
    signal: oneshot::Receiver<()>,
    deadline: Duration,
) -> LocalBoxFuture<'static, ()> {
    let layer = twenty_webhook_axum::TwentyWebhookLayer::new(secret());
    let handler = async move |_: twenty_webhook_axum::Webhook| {
        scenario.handle().await;
        StatusCode::OK
    };
    // hyper notices only when it writes the answer that the sender is gone. So a timeout drops the request.
    let timeout = middleware::from_fn(async |request: Request, next: Next| {
        tokio::time::timeout(Duration::from_millis(50), next.run(request))
            .await
            .map_err(|_| StatusCode::REQUEST_TIMEOUT)
    });
    let app = Router::new().route("/webhooks/twenty", post(handler).layer(layer.clone())).layer(timeout);
    let serve = twenty_webhook_axum::serve(listener, app).with_graceful_shutdown(async { signal.await.unwrap() });
    let serve = serve.drain(&layer).shutdown_deadline(deadline);
    Box::pin(serve.into_future())
}

fn actix(
    listener: TcpListener,
    scenario: Scenario,
    signal: oneshot::Receiver<()>,
    deadline: Duration,
) -> LocalBoxFuture<'static, ()> {
    let middleware = twenty_webhook_actix::TwentyWebhookMiddleware::new(secret());
    let wrapped = middleware.clone();
    let server = HttpServer::new(move || {
        let scenario = scenario.clone();
        let handler = move |_: twenty_webhook_actix::Webhook| {
            let scenario = scenario.clone();
            async move {
                scenario.handle().await;
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
