//! Receives webhooks of [Twenty CRM](https://twenty.com) in actix-web.
//!
//! [`TwentyWebhookMiddleware`] refuses what was not freshly signed by Twenty before the handler is called. The [`Webhook`] extractor hands
//! the handler a typed [`WebhookEvent`].
//!
#![cfg_attr(feature = "serve", doc = "```no_run")]
#![cfg_attr(not(feature = "serve"), doc = "```ignore")]
//! use actix_web::{App, HttpResponse, HttpServer, Responder, web};
//! use twenty_webhook_actix::{Action, Secret, TwentyWebhookMiddleware, Webhook};
//! use twenty_webhook_actix::{listener, serve, shutdown_signal}; // with the feature `serve`
//!
//! async fn receive(Webhook(event): Webhook) -> impl Responder {
//!     match (event.object(), event.action()) {
//!         ("person", Action::Created) => println!("a new person: {:?}", event.record_id()),
//!         _ => println!("{}", event.name()),
//!     }
//!     HttpResponse::NoContent()
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = listener("127.0.0.1:3000")?;
//!     let webhook = TwentyWebhookMiddleware::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?);
//!     let wrapped = webhook.clone();
//!     let server = HttpServer::new(move || {
//!         let resource = web::resource("/webhooks/twenty").wrap(wrapped.clone());
//!         App::new().service(resource.route(web::post().to(receive)))
//!     });
//!     serve(listener, server).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Extractor or middleware
//! The extractor also works alone, with a `web::Data<WebhookConfig>` in `app_data`. Then it is one line, and sees the request only. [`TwentyWebhookMiddleware`] sees the response too, so it can do more:
//!
//! | | extractor alone | middleware |
//! |---|---|---|
//! | refuses what is unsigned, stale or changed | yes | yes |
//! | a duplicate never reaches the handler again | yes | yes |
//! | a handler that fails (anything but 2xx, a panic) releases the delivery, for a redelivery to be handled | no | yes |
//! | a copy with a changed path, query or content type cannot stand in for the delivery | no | yes |
//! | the handler finishes even if Twenty hangs up after its 5 seconds | no | yes |
//! | `web::Bytes` and `web::Json` still see the body | no | yes |
//! | on shutdown, the server can wait for a handler whose sender has hung up | no | yes |
//!
//! # Before it is public
//! Serve with `serve`, from the feature of that name. It sets and does what a bare [`HttpServer`](actix_web::HttpServer) does not:
//! - actix's deadline for headers holds for the first request of a connection only, so clients that send half of a second one use up the
//!   descriptors. `serve` turns keep-alive off.
//! - On SIGTERM, actix drops connections that it has not read from yet, and handlers whose sender has hung up; on SIGINT, all handlers.
//!   `serve` waits for them, until one deadline.
//!
//! Let a supervisor hold the socket, so that deliveries wait in the kernel's queue while the receiver restarts: `listener` takes it.
//! `examples/systemd` has the units. And write the log so that it neither blocks nor panics: by default, `tracing_subscriber` panics in the
//! thread that serves a request once stderr is closed, and waits there while stderr is not read. `examples/demo` shows how.
//!
//! What a receiver needs of `twenty-webhook-core` is re-exported here; all of it is in [`core`].

mod extract;
mod middleware;
mod receive;
mod refusal;
mod router;
#[cfg(feature = "serve")]
mod serve;

pub use bytes;
pub use extract::Webhook;
pub use http;
pub use middleware::{TwentyWebhook, TwentyWebhookMiddleware};
pub use refusal::{MissingConfig, RefusedRequest};
#[cfg(feature = "serve")]
pub use serve::{Serve, ServeFuture, listener, serve, shutdown_signal};
pub use twenty_webhook_core as core;
#[doc(no_inline)]
pub use twenty_webhook_core::{
    Action, BatchItem, Claim, Clock, DecodeError, Delivery, DeliveryId, EventHandler, EventItem, EventName,
    EventPattern, EventPatternError, EventRouter, Extra, GuardError, InsecureFallback, MemoryReplayGuard,
    MetadataChange, NotAnEvent, ObjectMetadata, OtherAction, Outcome, OutcomeKind, Payload, RawJson, RecordError,
    Rejection, ReplayGuard, ReplayKey, RouteError, Secret, SecretError, SharedVerifier, SignedWith, Signer,
    SourceError, Target, Tolerance, UnixMillis, Verifier, VerifierSource, WebhookConfig, WebhookEvent, escaped, jiff,
    records,
};
#[cfg(feature = "diagnose")]
#[doc(no_inline)]
pub use twenty_webhook_core::{Diagnosis, Finding};
