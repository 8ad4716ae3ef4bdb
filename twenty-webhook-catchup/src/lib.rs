//! Finds what Twenty CRM's webhooks did not deliver, by its REST API, and has the same worker handle it.
//!
//! Twenty drops calls over its rate limit, sends one `destroyed` for many records, and never repeats a delivery that met a closed port. So a
//! receiver that loses nothing still misses changes. [`CatchUp`] reads what changed since the last time, and puts what the
//! [inbox](twenty_webhook_inbox) has not seen into it:
//!
//! ```no_run
//! use std::time::Duration;
//! use twenty_webhook_catchup::CatchUp;
//! use twenty_webhook_inbox::{Inbox, WebhookEvent};
//!
//! async fn sync(event: WebhookEvent) -> Result<(), std::io::Error> {
//!     println!("{} caught up: {}", event.name(), event.is_from_catchup());
//!     Ok(())
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inbox = Inbox::sqlite("inbox.db").await?;
//! let catch_up = CatchUp::new("https://crm.example.com", std::env::var("TWENTY_API_KEY")?)?
//!     .objects(["person", "company", "opportunity"])
//!     .every(Duration::from_secs(15 * 60));
//! let worker = inbox.worker("crm-sync", sync);
//! tokio::join!(
//!     worker.run_until(tokio::signal::ctrl_c()),
//!     catch_up.run_until(&inbox, tokio::signal::ctrl_c()),
//! );
//! # Ok(()) }
//! ```
//!
//! # What it yields
//!
//! Events of today's form without a [`delivery`](twenty_webhook_core::WebhookEvent::delivery), because nothing was signed:
//! [`is_from_catchup`](twenty_webhook_core::WebhookEvent::is_from_catchup) is true. The name is `deleted` for a record in the trash, `created` for
//! one that is new since the last run and was never seen, and `updated` else; no fields are listed as changed. Each state of a record
//! (object, id, `updatedAt`) is handled once: what the inbox has pending, running or done in that state or a newer one is left out, and a
//! delivery that arrives later with the same state is a duplicate. What is a dead letter stays one, and is [listed](ObjectReport::dead).
//!
//! The first run only sets the watermark and remembers all ids, unless [`backfill`](CatchUp::backfill) is asked for. Once a day all ids are
//! listed, and what is missing is confirmed and becomes `destroyed`: see [`CatchUp::destroyed_every`] for its guards.
//!
//! # What it cannot find
//!
//! States in between, the author of a change and its fields, what was created and destroyed between two runs, and what the role of the
//! API key may not read.
//!
//! # Without the inbox
//!
//! Implement [`CatchUpStore`] on a database of your own, and give it a handler with [`WithHandler`].

/// The page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/catch-up.md")]
mod guide {}

mod api;
mod api_key;
mod catch_up;
mod changes;
mod dates;
mod dry_run;
mod error;
mod event;
mod ids;
mod look_up;
#[cfg(feature = "metrics")]
mod metrics;
mod objects;
mod page;
mod rate;
mod report;
mod run;
mod session;
mod with_handler;

pub use catch_up::CatchUp;
pub use error::CatchUpError;
pub use report::{ObjectReport, Phase, Progress, Report};
pub use twenty_webhook_core::WebhookEvent;
pub use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, Census, Found, InboxError, JobId, Known, Missing,
};
pub use with_handler::WithHandler;
