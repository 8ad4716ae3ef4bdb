//! Receives webhooks of [Twenty CRM](https://twenty.com) in axum, and in anything else that is built on tower.
//!
//! [`TwentyWebhookLayer`] refuses what was not freshly signed by Twenty before it reaches a handler. [`Webhook`] hands the handler
//! a typed [`WebhookEvent`].
//!
#![cfg_attr(feature = "serve", doc = "```no_run")]
#![cfg_attr(not(feature = "serve"), doc = "```ignore")]
//! use axum::{Router, http::StatusCode, routing::post};
//! use twenty_webhook_axum::{Action, Secret, TwentyWebhookLayer, Webhook};
//! use twenty_webhook_axum::{listener, serve, shutdown_signal}; // with the feature `serve`
//!
//! async fn receive(Webhook(event): Webhook) -> StatusCode {
//!     match (event.object(), event.action()) {
//!         ("person", Action::Created) => println!("a new person: {:?}", event.record_id()),
//!         _ => println!("{}", event.name()),
//!     }
//!     StatusCode::NO_CONTENT
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let listener = listener("127.0.0.1:3000")?;
//!     let webhook = TwentyWebhookLayer::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?);
//!     let app = Router::new().route("/webhooks/twenty", post(receive).layer(webhook.clone()));
//!     serve(listener, app).with_graceful_shutdown(shutdown_signal()).drain(&webhook).await;
//!     Ok(())
//! }
//! ```
//!
//! # Before it is public
//! Serve with `serve`, from the feature of that name. Twenty sends a delivery once. With bare `axum::serve`, some are lost before the
//! layer sees them, and it has no settings against that:
//! - A sender that closes its side of the connection before it has the answer is taken for gone, and its request is dropped.
//! - A request's headers are waited for without end, so clients that connect and send nothing use up the descriptors.
//! - On shutdown, a connection that was accepted and not yet read from is closed.
//!
//! Let a supervisor hold the socket, so that deliveries wait in the kernel's queue while the receiver restarts: `listener` takes it.
//! `examples/systemd` has the units. And write the log so that it neither blocks nor panics: by default, `tracing_subscriber` panics in the
//! thread that serves a request once stderr is closed, and waits there while stderr is not read. `examples/demo` shows how.
//!
//! What a receiver needs of `twenty-webhook-core` is re-exported here; all of it is in [`core`].

mod extract;
mod future;
mod layer;
mod receive;
#[cfg(feature = "axum")]
mod router;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod shared;

pub use bytes;
pub use extract::{MissingLayer, Webhook};
pub use future::ResponseFuture;
pub use http;
pub use layer::TwentyWebhookLayer;
#[cfg(feature = "axum")]
pub use router::{RouterFuture, RouterHandler};
#[cfg(feature = "serve")]
pub use serve::{Serve, ServeFuture, listener, serve, shutdown_signal};
pub use service::TwentyWebhook;
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
