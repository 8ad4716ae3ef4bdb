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
use actix_web::rt::time::{sleep, timeout};
use actix_web::{Error, HttpServer};
use futures_util::future::{Either, LocalBoxFuture, join, select};

use crate::TwentyWebhookMiddleware;

/// Under the 10 seconds after which Docker kills.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(9);

/// How long after the signal a connection may still bring its request.
const LAST_REQUEST_DEADLINE: Duration = Duration::from_secs(1);

/// How long actix may take to close a connection. With its default of one second, a server so busy that actix's cached clock is that late
/// leaves the connections of refused bodies open for ever.
const DISCONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Serves with an [`HttpServer`] so that no delivery is lost by the way it is served. Settings such as `workers` are kept. These are made:
/// - No keep-alive: actix's deadline for headers, 5 seconds, holds for the first request of a connection only. And no delivery is sent
///   on a connection that is being closed for having been idle.
/// - A disconnect deadline of 10 seconds, half-closed connections, and `TCP_NODELAY`.
/// - The signals are yours: see [`with_graceful_shutdown`](Serve::with_graceful_shutdown). By actix's default, SIGINT ends all
///   handlers at once, and SIGTERM those whose sender has hung up.
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
pub fn serve<F, I, S, B>(listener: TcpListener, server: HttpServer<F, I, S, B>) -> Serve
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
    let server = server
        .keep_alive(KeepAlive::Disabled)
        .client_disconnect_timeout(DISCONNECT_DEADLINE)
        .h1_allow_half_closed(true)
        .tcp_nodelay(true)
        .disable_signals()
        // The deadline is ours.
        .shutdown_timeout(u64::MAX)
        .listen(listener)
        .map(HttpServer::run);
    Serve { server, signal: pending(), middlewares: Vec::new(), deadline: SHUTDOWN_DEADLINE }
}

/// A server to be awaited, that [`serve`] makes. Its error is that the server cannot start.
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<F = Pending<()>> {
    server: io::Result<Server>,
    signal: F,
    middlewares: Vec<TwentyWebhookMiddleware>,
    deadline: Duration,
}

impl<F> Serve<F> {
    /// Shuts down when `signal` completes: see [`shutdown_signal`](crate::shutdown_signal).
    ///
    /// It then accepts no more connections, and gives those that it has a second to bring their request. Then it waits for the requests and
    /// handlers of the [middlewares](Self::drain), and stops actix gracefully. All of it together ends after the
    /// [deadline](Self::shutdown_deadline).
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<G> {
        let Self { server, middlewares, deadline, .. } = self;
        Serve { server, signal, middlewares, deadline }
    }

    /// Waits, on shutdown, for the handlers of this middleware and its clones too: actix drops one whose sender has hung up. May be
    /// called for several middlewares.
    pub fn drain(mut self, middleware: &TwentyWebhookMiddleware) -> Self {
        self.middlewares.push(middleware.clone());
        self
    }

    /// Sets how long a shutdown may take in all: 9 seconds by default, because Docker kills after 10. What is not finished by then is
    /// given up, and logged as an error. (Kubernetes and systemd wait longer by default, for 30 and 90 seconds.)
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl<F: Future<Output = ()>> Serve<F> {
    async fn run(self) -> io::Result<()> {
        let server = self.server?;
        let handle = server.handle();
        let server = match select(server, pin!(self.signal)).await {
            Either::Left((ended, _)) => return ended,
            Either::Right(((), server)) => server,
        };
        tracing::info!(target: "twenty_webhook", "shutting down: no more connections are accepted");
        let shutdown = async {
            handle.pause().await;
            sleep(LAST_REQUEST_DEADLINE).await;
            for middleware in &self.middlewares {
                middleware.drained().await;
            }
            handle.stop(true).await;
        };
        // What is dropped unfinished is given up.
        let Ok((ended, ())) = timeout(self.deadline, join(server, shutdown)).await else {
            tracing::error!(target: "twenty_webhook", "not all requests were finished within {:?}: they are given up", self.deadline);
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

/// The future of a [`Serve`].
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
