//! Receives webhooks of [Twenty CRM](https://twenty.com) in axum, and in anything else that is built on tower.
//!
//! [`TwentyWebhookLayer`] refuses what was not freshly signed by Twenty before it reaches a handler. [`Webhook`] hands the handler
//! a typed [`WebhookEvent`].
//!
//! ```no_run
//! use axum::{Router, http::StatusCode, routing::post};
//! use twenty_webhook_axum::{Action, Secret, TwentyWebhookLayer, Webhook};
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
//!     let secret = Secret::from_env("TWENTY_WEBHOOK_SECRET")?;
//!     let app = Router::new()
//!         .route("/webhooks/twenty", post(receive).layer(TwentyWebhookLayer::new(secret)));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Before it is public
//! `axum::serve` waits for ever for a request's headers, so clients that connect and send nothing use up its file descriptors. Put a
//! reverse proxy in front that does not, or serve as `examples/axum-receiver/src/serve.rs` does, with hyper's `header_read_timeout`.
//!
//! Everything of `twenty-webhook-core` that a receiver needs is re-exported here.

mod extract;
mod future;
mod layer;
mod receive;
#[cfg(feature = "serve")]
mod serve;
mod service;

pub use bytes;
pub use extract::{MissingLayer, Webhook};
pub use future::ResponseFuture;
pub use http;
pub use layer::TwentyWebhookLayer;
#[cfg(feature = "serve")]
pub use serve::{Serve, ServeFuture, listener, serve, shutdown_signal};
pub use service::TwentyWebhook;
pub use twenty_webhook_core as core;
pub use twenty_webhook_core::*;
