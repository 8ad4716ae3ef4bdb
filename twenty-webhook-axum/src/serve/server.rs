use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending};
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum_core::body::Body;
use bytes::Buf;
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::accept::Acceptor;
use super::connection::serve_connection;
use super::phase::Phase;
use crate::TwentyWebhookLayer;

/// Less than the 10 seconds after which Docker kills a container.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(9);

/// How long after the signal a connection without a request may still send one.
const LAST_REQUEST_DEADLINE: Duration = Duration::from_secs(1);

/// Serves an axum [`Router`], or any other tower service, over HTTP/1.1, and loses no delivery on the way.
///
/// It does four things that `axum::serve` has no settings for. It
/// - closes a connection after 10 seconds without complete headers, or (on Linux) after 10 seconds in which the client reads nothing of a
///   response, so that such clients do not use up the file descriptors,
/// - handles a request whose sender has already closed its side of the connection,
/// - reads at most 32 KiB ahead on a connection, headers included,
/// - on shutdown, reads what has already arrived: see [`with_graceful_shutdown`](Serve::with_graceful_shutdown).
///
/// ```no_run
/// use axum::{Router, http::StatusCode, routing::post};
/// use twenty_webhook_axum::{Secret, TwentyWebhookLayer, Webhook, listener, serve, shutdown_signal};
///
/// async fn receive(Webhook(event): Webhook) -> StatusCode {
///     println!("{}", event.name());
///     StatusCode::OK
/// }
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = listener("127.0.0.1:3000")?;
///     let webhook = TwentyWebhookLayer::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?);
///     let app = Router::new().route("/webhooks/twenty", post(receive).layer(webhook.clone()));
///     serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
///     Ok(())
/// }
/// ```
///
/// A closed side does not end a request, so the server notices that a client is gone only when it writes the response. For HTTP/2 and
/// TLS, use a reverse proxy.
pub fn serve<S>(listener: TcpListener, app: S) -> Serve<S> {
    Serve { listener, app, signal: pending(), layers: Vec::new(), deadline: SHUTDOWN_DEADLINE }
}

/// A server to `.await`. [`serve`] makes it.
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<S, F = Pending<()>> {
    listener: TcpListener,
    app: S,
    signal: F,
    layers: Vec<TwentyWebhookLayer>,
    deadline: Duration,
}

impl<S, F> Serve<S, F> {
    /// Shuts down when `signal` completes: see [`shutdown_signal`](crate::shutdown_signal).
    ///
    /// It accepts the connections in the listener's queue and closes the listener. For up to a second, each connection without a request
    /// may send one; the response closes it. A request whose headers have begun to arrive has one second
    /// more. Then it waits for all requests, and for the handlers of the [layers](Self::drain). All of this ends at the
    /// [deadline](Self::shutdown_deadline).
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<S, G> {
        let Self { listener, app, layers, deadline, .. } = self;
        Serve { listener, app, signal, layers, deadline }
    }

    /// On shutdown, also waits for the handlers of this layer and its clones whose sender has hung up: they have no connection that the
    /// server could wait for. Call it once for each layer.
    pub fn drain(mut self, layer: &TwentyWebhookLayer) -> Self {
        self.layers.push(layer.clone());
        self
    }

    /// Sets how long a shutdown may take in all. The default is 9 seconds, because Docker kills after 10; Kubernetes waits 30 seconds and
    /// systemd 90. At the deadline, the server drops all unfinished requests and logs an error.
    ///
    /// It cannot drop a handler that blocks its thread: the runtime waits for it when `main` ends.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl<S, F, B> IntoFuture for Serve<S, F>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    B: http_body::Body<Data: Buf + Send> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    F: Future<Output = ()> + Send + 'static,
{
    type Output = ();
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        ServeFuture(Box::pin(self.run()))
    }
}

impl<S, F, B> Serve<S, F>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    B: http_body::Body<Data: Buf + Send> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    F: Future<Output = ()> + Send + 'static,
{
    async fn run(self) {
        let app = with_state(self.app);
        let (phases, phase) = watch::channel(Phase::Serving);
        let connections = TaskTracker::new();
        let tasks = connections.clone();
        let serve = move |stream: TcpStream| {
            tasks.spawn(serve_connection(stream, app.clone(), phase.clone()));
        };

        let mut acceptor = Acceptor::new(self.listener);
        let mut signal = pin!(self.signal);
        loop {
            tokio::select! {
                () = &mut signal => break,
                stream = acceptor.next() => serve(stream),
            }
        }

        tracing::info!(target: "twenty_webhook", "shutting down: accepts no more connections");
        let now = Instant::now();
        let (deadline, last_requests) = (now + self.deadline, now + self.deadline.min(LAST_REQUEST_DEADLINE));
        phases.send_replace(Phase::Stopping);
        acceptor.close().take_while(|_| Instant::now() < last_requests).for_each(serve);
        connections.close();
        let _ = timeout_at(last_requests, connections.wait()).await;
        phases.send_replace(Phase::Closing);
        let finished = async {
            connections.wait().await;
            for layer in &self.layers {
                layer.drained().await;
            }
        };
        if timeout_at(deadline, finished).await.is_err() {
            let (connections, deadline) = (connections.len(), self.deadline);
            tracing::error!(target: "twenty_webhook", connections, "the shutdown took longer than {deadline:?}: dropped the unfinished requests");
        }
        phases.send_replace(Phase::Ended);
    }
}

/// Gives a `Router` its state once: without it, axum would build the routes and their layers again for each request.
fn with_state<S: 'static>(mut app: S) -> S {
    if let Some(router) = (&mut app as &mut dyn Any).downcast_mut::<Router>() {
        *router = mem::take(router).with_state(());
    }
    app
}

impl<S, F> fmt::Debug for Serve<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Serve");
        debug.field("listener", &self.listener).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The future of [`Serve`].
pub struct ServeFuture(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Future for ServeFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ServeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture").finish_non_exhaustive()
    }
}
