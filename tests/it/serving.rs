//! How `serve` of the axum adapter serves an app.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tower::layer::layer_fn;
use twenty_webhook_axum::{listener, serve};

/// axum would build the routes of a `Router` without a state again for each request.
#[tokio::test]
async fn the_routes_of_an_app_are_built_once() {
    let built = Arc::new(AtomicUsize::new(0));
    let counts = built.clone();
    let layer = layer_fn(move |inner: axum::routing::Route| {
        counts.fetch_add(1, Ordering::Relaxed);
        inner
    });
    let app = Router::new().route("/", get(async || "hello").layer(layer));
    let listener = listener("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, app).into_future());
    let mut after_each = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        after_each.push(built.load(Ordering::Relaxed));
    }
    assert_eq!(after_each, [after_each[0]; 3]);
    server.abort();
}

/// A shutdown closes connections that send no request, but not one whose response takes longer.
#[tokio::test]
async fn a_response_goes_on_after_the_signal() {
    let end_of_body = Arc::new(Notify::new());
    let wait = end_of_body.clone();
    let slow = async move || {
        let end = async move {
            wait.notified().await;
            Ok::<_, Infallible>("world")
        };
        Body::from_stream(stream::iter([Ok("hello ")]).chain(stream::once(end)))
    };
    let listener = listener("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let serve = serve(listener, Router::new().route("/", get(slow)));
    let server = tokio::spawn(serve.with_graceful_shutdown(async { stopped.await.unwrap() }).into_future());
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let mut len = 0;
    while !answer[..len].ends_with(b"hello \r\n") {
        len += stream.read(&mut answer[len..]).await.unwrap();
    }
    stop.send(()).unwrap();
    // Longer than a head may take.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    end_of_body.notify_one();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "5\r\nworld\r\n0\r\n\r\n");
    server.await.unwrap();
}

/// An app may have a WebSocket next to its webhook.
#[tokio::test]
async fn a_connection_can_be_upgraded() {
    let upgrade = async |request: Request| {
        let upgrade = hyper::upgrade::on(request);
        tokio::spawn(async move { TokioIo::new(upgrade.await.unwrap()).write_all(b"upgraded").await });
        (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "test")])
    };
    let listener = listener("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = tokio::spawn(serve(listener, Router::new().route("/", get(upgrade))).into_future());
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101") && answer.ends_with("\r\n\r\nupgraded"), "{answer}");
    server.abort();
}
