use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum_core::body::Body;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use tower_service::Service;

use super::phase::{Phase, reached};

/// How long a request's headers may take, and how long a connection may be idle between two requests. Node drops an idle connection after
/// 5 seconds. This is longer, so the server never closes a connection while Node sends the next delivery on it.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// How long, after connections without a request are closed, a head that has begun may take to arrive.
const LAST_HEAD_DEADLINE: Duration = Duration::from_secs(1);

/// The most that is read ahead on one connection, in bytes. It also limits a request's headers; Node's own limit is 16 KiB.
const READ_AHEAD: usize = 32 * 1024;

/// How long a client may leave a response unread. hyper has no limit, so such clients would use up the file descriptors.
#[cfg(target_os = "linux")]
const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Serves one connection until its end.
pub(super) async fn serve_connection<S, B>(stream: TcpStream, app: S, phase: watch::Receiver<Phase>)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    set_options(&stream);
    let now = &phase;
    // Each request holds a clone until the end of its response.
    let requests = Arc::new(());
    let request_of = &requests;
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut app, running) = (app.clone(), request_of.clone());
        async move {
            poll_fn(|cx| app.poll_ready(cx)).await?;
            let mut response = app.call(request.map(Body::new)).await?;
            if *now.borrow() != Phase::Serving {
                // Without it, the client could send its next request while the connection closes.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, S::Error>(response.map(|body| {
                body.map_err(move |error| {
                    // The closure, and so the body, holds it.
                    let _ = &running;
                    error
                })
            }))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE)
            // A client may close its side as soon as it has sent its request. The request still counts.
            .half_close(true)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let serving = async {
        tokio::select! {
            // Reads what has arrived before a shutdown: `graceful_shutdown` closes a connection that hyper has not read from yet.
            biased;
            ended = &mut connection => return ended,
            () = reached(phase.clone(), Phase::Closing) => connection.as_mut().graceful_shutdown(),
        }
        // hyper waits for the rest of a head.
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = sleep(LAST_HEAD_DEADLINE) => {}
        }
        if Arc::strong_count(&requests) == 1 {
            return Ok(());
        }
        connection.await
    };
    tokio::select! {
        biased;
        ended = serving => {
            if let Err(error) = ended {
                tracing::debug!(target: "twenty_webhook", error = &error as &dyn Error, "a connection ended early");
            }
        }
        () = reached(phase.clone(), Phase::Ended) => {}
    }
}

/// These calls fail only if the connection is gone.
fn set_options(stream: &TcpStream) {
    // A response is one small write: there is nothing to batch it with.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(WRITE_DEADLINE));
}
