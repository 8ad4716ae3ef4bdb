#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! | to | use |
//! |---|---|
//! | run it beside a worker, or once | [`CatchUp`], [`run_until`](CatchUp::run_until), [`run_once`](CatchUp::run_once) |
//! | see what a run did | [`Report`], [`ObjectReport`], [`CatchUpError`] |
//! | only look | [`dry_run`](CatchUp::dry_run), [`on_event`](CatchUp::on_event) |
//! | show how far it is | [`on_progress`](CatchUp::on_progress), [`Progress`], [`Phase`] |
//! | use a database of your own, without the inbox | [`CatchUpStore`], [`handle_with`](CatchUp::handle_with) |
//!
//! # What an event looks like
//!
//! It is a [`WebhookEvent`] of today's form. [`is_from_catchup`](WebhookEvent::is_from_catchup) is true, and
//! [`delivery`](WebhookEvent::delivery) is `None`, because nothing was signed. Its name is `deleted` for a record in the trash, `created` for
//! one that is new since the last run and was never seen, and otherwise `updated`. It lists no changed fields.
//!
//! # Destroyed records
//!
//! A wrong `destroyed` makes handlers delete. [`CatchUp::destroyed_every`] says what has to be proved before one is emitted.

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
mod handler;
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

pub use catch_up::CatchUp;
pub use error::CatchUpError;
pub use report::{ObjectReport, Phase, Progress, Report};
pub use twenty_webhook_core::WebhookEvent;
pub use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, Census, Found, InboxError, JobId, Known, Missing,
};
