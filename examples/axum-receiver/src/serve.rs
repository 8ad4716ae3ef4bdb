//! `axum::serve`, with a deadline for the headers. Without one, a client that connects and sends nothing is waited for until it
//! goes away, and costs a file descriptor as long.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// Also how long a connection may be idle between two requests. Longer than the 5 seconds after which Node drops an idle one, so
/// that it is not this side which closes a connection just as the next delivery, which Twenty would not repeat, is sent on it.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// Serves until `shutdown`, and then until all requests are answered.
pub(crate) async fn serve(mut listener: TcpListener, app: Router, shutdown: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    let service = TowerToHyperService::new(app);
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => {
                let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connections.watch(connection));
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}
