#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! | to | use |
//! |---|---|
//! | run it next to a worker, or once | [`CatchUp`], [`run_until`](CatchUp::run_until), [`run_once`](CatchUp::run_once) |
//! | read the result of a run | [`Report`], [`ObjectReport`], [`CatchUpError`] |
//! | try it without storing anything | [`dry_run`](CatchUp::dry_run), [`on_event`](CatchUp::on_event) |
//! | show the progress | [`on_progress`](CatchUp::on_progress), [`Progress`], [`Phase`] |
//! | use a database of your own, without the inbox | [`CatchUpStore`], [`handle_with`](CatchUp::handle_with) |
//!
//! # What an event looks like
//!
//! It is a [`WebhookEvent`] in the current form. [`is_from_catchup`](WebhookEvent::is_from_catchup) is true, and
//! [`delivery`](WebhookEvent::delivery) is `None`, because nothing was signed. Its action is `deleted` for a record in the trash, `created`
//! for a record that is new since the last run and had no event, and otherwise `updated`. It lists no changed fields.
//!
//! # Destroyed records
//!
//! A wrong `destroyed` event makes handlers delete data. [`CatchUp::destroyed_every`] describes the proof that is needed.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The page compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/catch-up.md")]
mod guide {}

mod api;
mod api_key;
mod backfill;
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
mod scope;
mod session;

pub use catch_up::CatchUp;
pub use error::CatchUpError;
pub use report::{ObjectReport, Phase, Progress, Report};
pub use twenty_webhook_core::WebhookEvent;
pub use twenty_webhook_inbox::{
    CatchUpCommit, CatchUpScope, CatchUpStore, FoundRecord, IdCounts, InboxError, JobId, KnownRecord, MissingRecord,
};
