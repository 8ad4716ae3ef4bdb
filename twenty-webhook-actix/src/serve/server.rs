use std::fmt::{self, Debug};
use std::future::{Future, IntoFuture, Pending, pending};
use std::io;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_service::IntoServiceFactory;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory};
use actix_web::http::KeepAlive;
use actix_web::rt::time::{Instant, sleep_until, timeout};
use actix_web::{Error, HttpServer};
use futures_util::future::{Either, LocalBoxFuture, join, select};

use super::accept::stop_accepting;
use super::listener::Listener;
use crate::TwentyWebhookMiddleware;

/// Less than the 10 seconds after which Docker kills a container.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(9);

/// How long after the signal a connection may still send its request.
const LAST_REQUEST_DEADLINE: Duration = Duration::from_secs(1);

/// How long actix may take to close a connection. With actix's default of one second, a busy server whose cached clock is a second late
/// never closes the connections of rejected bodies.
const DISCONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Serves with an [`HttpServer`], and loses no delivery on the way. It keeps settings such as `workers`, and changes these:
/// - It turns keep-alive off. actix's deadline for headers, 5 seconds, applies only to the first request of a connection. And without
///   keep-alive, Twenty never sends a delivery on an idle connection while the server closes it.
/// - It gives a connection 10 seconds to close, handles requests on half-closed connections, and sets `TCP_NODELAY`.
/// - It leaves signals to you: see [`with_graceful_shutdown`](Serve::with_graceful_shutdown). By default, actix drops all handlers on
///   SIGINT, and on SIGTERM those whose sender has hung up.
///
/// ```no_run
/// use actix_web::{App, HttpResponse, HttpServer, Responder, web};
/// use twenty_webhook_actix::{Secret, TwentyWebhookMiddleware, Webhook, listener, serve, shutdown_signal};
///
/// async fn receive(Webhook(event): Webhook) -> impl Responder {
///     println!("{}", event.name());
///     HttpResponse::Ok()
/// }
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = listener("127.0.0.1:3000")?;
///     let webhook = TwentyWebhookMiddleware::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?);
///     let wrapped = webhook.clone();
///     let server = HttpServer::new(move || {
///         let resource = web::resource("/webhooks/twenty").wrap(wrapped.clone());
///         App::new().service(resource.route(web::post().to(receive)))
///     });
///     serve(listener, server).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await?;
///     Ok(())
/// }
/// ```
pub fn serve<F, I, S, B>(listener: impl Into<Listener>, server: HttpServer<F, I, S, B>) -> Serve
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let Listener { socket, is_own } = listener.into();
    let own = is_own.then(|| socket.try_clone()).transpose();
    let server = server
        .keep_alive(KeepAlive::Disabled)
        .client_disconnect_timeout(DISCONNECT_DEADLINE)
        .h1_allow_half_closed(true)
        .tcp_nodelay(true)
        .disable_signals()
        // `Serve` has its own deadline.
        .shutdown_timeout(u64::MAX)
        .listen(socket);
    let server = own.and_then(|own| Ok((server?.run(), own)));
    Serve { server, signal: pending(), middlewares: Vec::new(), deadline: SHUTDOWN_DEADLINE }
}

/// A server to `.await`. [`serve`] makes it.
///
/// # Errors
/// If the server cannot start.
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<F = Pending<()>> {
    /// With another handle of its socket, if no other process has the socket.
    server: io::Result<(Server, Option<TcpListener>)>,
    signal: F,
    middlewares: Vec<TwentyWebhookMiddleware>,
    deadline: Duration,
}

impl<F> Serve<F> {
    /// Shuts down when `signal` completes: see [`shutdown_signal`](crate::shutdown_signal).
    ///
    /// It accepts the connections in the socket's queue and closes the socket, unless a supervisor or another process may have it too: see
    /// [`Listener`]. (Only Linux can close it; elsewhere, connections that arrive from now on are reset at the end.) For a second, or for
    /// half of the [deadline](Self::shutdown_deadline) if that is less, open connections may send their request. Then it waits for the
    /// requests and handlers of the [middlewares](Self::drain), and stops actix gracefully. All of this ends at the deadline.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<G> {
        let Self { server, middlewares, deadline, .. } = self;
        Serve { server, signal, middlewares, deadline }
    }

    /// On shutdown, also waits for the handlers of this middleware and its clones whose sender has hung up: actix would drop them. Call it
    /// once for each middleware.
    pub fn drain(mut self, middleware: &TwentyWebhookMiddleware) -> Self {
        self.middlewares.push(middleware.clone());
        self
    }

    /// Sets how long a shutdown may take in all. The default is 9 seconds, because Docker kills after 10; Kubernetes waits 30 seconds and
    /// systemd 90. At the deadline, the server drops all unfinished requests and logs an error.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl<F: Future<Output = ()>> Serve<F> {
    async fn run(self) -> io::Result<()> {
        let (server, own) = self.server?;
        let handle = server.handle();
        let server = match select(server, pin!(self.signal)).await {
            Either::Left((ended, _)) => return ended,
            Either::Right(((), server)) => server,
        };
        tracing::info!(target: "twenty_webhook", "shutting down: accepts no more connections");
        // Half, because the connections that sent no request then close only when actix stops.
        let last_requests = Instant::now() + LAST_REQUEST_DEADLINE.min(self.deadline / 2);
        let shutdown = async {
            stop_accepting(&handle, own, last_requests).await;
            sleep_until(last_requests).await;
            for middleware in &self.middlewares {
                middleware.drained().await;
            }
            handle.stop(true).await;
        };
        // At the deadline, dropping the server drops its requests.
        let Ok((ended, ())) = timeout(self.deadline, join(server, shutdown)).await else {
            tracing::error!(target: "twenty_webhook", "the shutdown took longer than {:?}: dropped the unfinished requests", self.deadline);
            return Ok(());
        };
        ended
    }
}

impl<F: Future<Output = ()> + 'static> IntoFuture for Serve<F> {
    type Output = io::Result<()>;
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        ServeFuture(Box::pin(self.run()))
    }
}

impl<F> Debug for Serve<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The future of [`Serve`].
pub struct ServeFuture(LocalBoxFuture<'static, io::Result<()>>);

impl Future for ServeFuture {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll(cx)
    }
}

impl Debug for ServeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture").finish_non_exhaustive()
    }
}
