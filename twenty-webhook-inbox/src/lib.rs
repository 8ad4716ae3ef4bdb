#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! | start here | |
//! |---|---|
//! | [`Inbox`] | opens the inbox, stores, and makes workers |
//! | [`Worker`] | what becomes of a job: its settings, its order, crashes |
//!
//! | receive | |
//! |---|---|
//! | [`Inbox::receiver`] | a route of axum |
//! | [`Inbox::store`] | a handler of any other framework: [below](#on-actix-web) for actix-web |
//! | [`Inbox::deadline`] | how long a delivery may take to be stored before it is answered 503 |
//!
//! | handle | |
//! |---|---|
//! | [`Handler`], [`with_state`], [`EventRouter`] | what a worker calls |
//! | [`Job`] | the attempt, the tenant, whether the event is late; a handler's second argument |
//! | [`HandlerError`] | give up at once, or wait for a rate limit |
//! | [`Worker::coalesce`] | one call for a burst of edits |
//! | `Inbox::run_in_transaction` | write to your own tables exactly once |
//!
//! | operate | |
//! |---|---|
//! | [`Inbox::counts`], [`Inbox::jobs`], [`Inbox::job`], [`JobFilter`] | see what waits, failed or was handled |
//! | [`Inbox::retry`], [`Inbox::rerun`], [`Inbox::delete`], [`Inbox::erase`] | change jobs |
//! | [`Inbox::pause`], [`Inbox::resume`] | stop all workers for a while |
//! | [`Inbox::retention`], [`Inbox::dead_retention`] | how long jobs are kept |
//! | [`Inbox::health`], [`Worker::on_dead`] | be alerted |
//! | `Inbox::dashboard` | a web page, with the feature `dashboard` |
//!
//! | stores | |
//! |---|---|
//! | `Inbox::sqlite`, `SqliteConfig` | one file, any number of processes on one machine |
//! | `Inbox::postgres`, `PostgresConfig` | any number of machines |
//! | [`Store`] | a database of your own |
//! | [`CatchUpStore`] | what `twenty-webhook-catchup` keeps in the inbox |
//!
//! # On actix-web
//!
//! The handler stores the event and answers. Switch the replay guard off: the store knows duplicates, and a copy of a delivery that could
//! not be stored must be accepted.
//!
//! ```no_run
//! use actix_web::{App, HttpResponse, HttpServer, Responder, web};
//! use twenty_webhook_actix::{Secret, Webhook, WebhookConfig};
//! use twenty_webhook_inbox::{Inbox, SqliteStore};
//!
//! async fn receive(Webhook(event): Webhook, inbox: web::Data<Inbox<SqliteStore>>) -> impl Responder {
//!     match inbox.store(&event).await {
//!         Ok(()) => HttpResponse::Accepted(),
//!         Err(error) => {
//!             tracing::error!(%error, delivery_id = %event.delivery_id(), "not stored: answered 503");
//!             HttpResponse::ServiceUnavailable()
//!         }
//!     }
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let inbox = web::Data::new(Inbox::sqlite("inbox.db").await?);
//!     let config = WebhookConfig::new(Secret::from_env("TWENTY_WEBHOOK_SECRET")?).without_replay_guard();
//!     let config = web::Data::new(config);
//!     let app = move || {
//!         App::new().app_data(config.clone()).app_data(inbox.clone()).route("/webhooks/twenty", web::post().to(receive))
//!     };
//!     HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?;
//!     Ok(())
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The page compiles.
#[cfg(all(doctest, feature = "axum", feature = "sqlite"))]
#[doc = include_str!("../../docs/inbox.md")]
mod guide {}

mod admin;
mod answer;
mod attempt;
mod backoff;
mod catch_up;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod catch_up_sql;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod catch_up_store;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod claiming;
mod coalesce;
mod completer;
mod config;
#[cfg(feature = "dashboard")]
mod dashboard;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod dialect;
mod error;
mod fetcher;
mod group_commit;
mod handler;
mod handler_error;
mod heartbeat;
mod inbox;
mod job;
mod job_filter;
mod job_id;
mod job_info;
mod lateness;
mod leases;
mod longest;
mod maintenance;
#[cfg(feature = "metrics")]
mod metrics;
mod new_job;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "axum")]
mod receiver;
mod rethrow;
mod router;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod schema;
mod slots;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod text;
mod worker;

pub use backoff::Backoff;
pub use bytes::Bytes;
pub use catch_up::{CatchUpCommit, CatchUpScope, CatchUpStore, FoundRecord, IdCounts, KnownRecord, MissingRecord};
pub use error::InboxError;
pub use handler::{Handler, with_state};
pub use handler_error::HandlerError;
pub use inbox::Inbox;
pub use job::Job;
pub use job_filter::JobFilter;
pub use job_id::JobId;
pub use job_info::{Counts, JobInfo, State};
pub use new_job::NewJob;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConfig, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteConfig, SqliteStore, SqliteTransaction};
pub use store::{
    Change, Claim, Claimed, ClaimedJob, Completed, Completion, Crashed, Maintenance, Order, Outcome, Recovered, Store,
};
#[cfg(feature = "axum")]
pub use twenty_webhook_axum::TwentyWebhookLayer;
pub use twenty_webhook_core::{Action, EventName, EventRouter, ReplayKey, Secret, Verifier, WebhookEvent};
pub use worker::Worker;
