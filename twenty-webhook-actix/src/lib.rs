//! Receives webhooks of [Twenty CRM](https://twenty.com) in actix-web.
//!
//! The [`Webhook`] extractor refuses what was not freshly signed by Twenty before the handler is called, and hands it a typed
//! [`WebhookEvent`].
//!
//! ```no_run
//! use actix_web::{App, HttpResponse, HttpServer, Responder, web};
//! use twenty_webhook_actix::{Action, Secret, Webhook, WebhookConfig};
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
//!     let config = web::Data::new(WebhookConfig::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?));
//!     let app = move || {
//!         App::new().app_data(config.clone()).route("/webhooks/twenty", web::post().to(receive))
//!     };
//!     HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?;
//!     Ok(())
//! }
//! ```
//!
//! # Extractor or middleware
//! The extractor is one line, and sees the request only. [`TwentyWebhookMiddleware`] sees the response too, so it can do more:
//!
//! | | extractor alone | middleware |
//! |---|---|---|
//! | refuses what is unsigned, stale or changed | yes | yes |
//! | a duplicate never reaches the handler again | yes | yes |
//! | a handler that fails (anything but 2xx, a panic) releases the delivery, for a redelivery to be handled | no | yes |
//! | a copy with a changed path, query or content type cannot stand in for the delivery | no | yes |
//! | the handler finishes even if Twenty hangs up after its 5 seconds | no | yes |
//! | `web::Bytes` and `web::Json` still see the body | no | yes |
//!
//! # Before it is public
//! actix-web's deadline for a request's headers holds for the first request of a connection only, so clients that send half of a
//! second one use up its file descriptors. Put a reverse proxy in front that does not wait, or turn keep-alive off, as
//! `examples/actix-receiver` does.
//!
//! Everything of `twenty-webhook-core` that a receiver needs is re-exported here.

mod extract;
mod middleware;
mod receive;
mod refusal;
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
pub use twenty_webhook_core::*;
