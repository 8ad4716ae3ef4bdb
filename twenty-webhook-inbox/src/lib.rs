//! Twenty gets its 2xx when the event is on disk; a worker handles it afterwards, with retries, and nothing is lost.
//!
//! Twenty CRM gives up on a webhook after 5 seconds and never sends it again. A receiver that works inside the request loses the event
//! whenever its own database is slow, it is deployed, or it crashes. So: verify, store, answer 202, and work afterwards.
//!
//! ```no_run
//! use axum::Router;
//! use twenty_webhook_inbox::{Inbox, Secret, WebhookEvent};
//!
//! async fn sync(event: WebhookEvent) -> Result<(), std::io::Error> {
//!     println!("{}", event.name()); // an error, a panic or a minute without an end: it is tried again, later
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!     let inbox = Inbox::sqlite("inbox.db").await?;
//!     let secret = Secret::from_env("TWENTY_WEBHOOK_SECRET")?;
//!     let app = Router::new().route("/webhooks/twenty", inbox.receiver(secret)); // verify → store → 202
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     tokio::spawn(axum::serve(listener, app).into_future());
//!     inbox.worker("crm-sync", sync).run_until(tokio::signal::ctrl_c()).await;
//!     Ok(())
//! }
//! ```
//!
//! # What it promises
//!
//! - What was answered 2xx is on disk, and is handled at least once, whatever is killed, full, locked or down meanwhile. What could not
//!   be stored within [3 seconds](Inbox::deadline) is answered 503.
//! - A delivery that is stored already is answered 202 and adds no job, for as long as its row is [kept](Inbox::retention). So the
//!   replay guard of the adapters is not needed here, and [`receiver`](Inbox::receiver) has it off.
//! - A job is handled once, except when its worker is killed, or loses its database, after the handler's work and before it was
//!   recorded; when an attempt that timed out had done its work; and when a handler blocks its thread beyond its time. So handlers must be
//!   able to run twice: [`Job::key`] is the key to make them so. With `run_in_transaction` the handler's writes happen exactly once.
//! - Jobs of one record run one at a time, the oldest state first. See [`Worker`].
//!
//! # I want to …
//!
//! | | start here |
//! |---|---|
//! | know the attempt, the tenant, or whether an event is late | take a [`Job`] as the handler's second argument |
//! | give a handler a database pool or a client | [`with_state`] |
//! | give up at once, or wait for a rate limit | [`HandlerError`] |
//! | get one call for a burst of edits | [`Worker::coalesce`] |
//! | write to my own tables exactly once | `Inbox::run_in_transaction` |
//! | see what waits, failed or was handled | `Inbox::dashboard` (feature `dashboard`), [`Inbox::counts`], [`Inbox::jobs`] |
//! | try dead letters again, or handled events | [`Inbox::retry`], [`Inbox::rerun`] |
//! | forget a person | [`Inbox::erase`] |
//! | stop handling while my own system is repaired | [`Inbox::pause`] |
//! | be alerted | [`Worker::on_dead`], [`Inbox::health`], the metrics below |
//!
//! # Metrics
//!
//! With the feature `metrics`, for any recorder of the `metrics` facade. The gauges are set by workers, every 15 seconds.
//!
//! | name | what |
//! |---|---|
//! | `twenty_webhook_inbox_jobs{state}` | how many jobs: pending, running, retrying, done, dead. Alert on dead |
//! | `twenty_webhook_inbox_oldest_pending_seconds` | the age of the oldest job that was not tried. Alert when it grows |
//! | `twenty_webhook_inbox_store_seconds` | how long a delivery took to be stored, or refused |
//! | `twenty_webhook_inbox_attempts_total{outcome}` | done, retry, dead, released (the worker stopped), lost (the lease) |
//!
//! # Backup and restore
//!
//! - SQLite: `sqlite3 inbox.db "VACUUM INTO 'copy.db'"` or `.backup`, while it is in use. To restore, stop all processes on the file, delete
//!   `inbox.db`, `inbox.db-wal` and `inbox.db-shm`, and put the copy there. Copying the file alone while it is in use loses what is in the log.
//! - Postgres: `pg_dump --schema=twenty_webhook`, and `psql` into an empty database.
//!
//! What was handled after the backup is handled again, and what arrived after it is lost: Twenty does not send it again.
//!
//! # On actix-web
//!
//! The handler stores, and answers. The replay guard is off, because the store knows duplicates, and a delivery that could not be stored must be
//! let in when it comes again:
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
//!
//! # Databases
//!
//! SQLite by default: one file, no server, any number of processes on one machine. With the feature `postgres`,
//! `Inbox::postgres(url)`: receivers and workers on any number of machines; the feature `tls` to reach it over TLS. Any other one
//! through [`Store`].

/// The page compiles.
#[cfg(all(doctest, feature = "axum", feature = "sqlite"))]
#[doc = include_str!("../../docs/inbox.md")]
mod guide {}

mod admin;
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
mod maintenance;
#[cfg(feature = "metrics")]
mod metrics;
mod new_job;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "axum")]
mod receiver;
mod router;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod schema;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod text;
mod worker;

pub use backoff::Backoff;
pub use bytes::Bytes;
pub use catch_up::{CatchUpCommit, CatchUpScope, CatchUpStore, Census, Found, Known, Missing};
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
pub use store::{Change, Claim, Claimed, ClaimedJob, Completion, Crashed, Maintenance, Order, Outcome, Store};
#[cfg(feature = "axum")]
pub use twenty_webhook_axum::TwentyWebhookLayer;
pub use twenty_webhook_core::{Action, EventName, EventRouter, ReplayKey, Secret, Verifier, WebhookEvent};
pub use worker::Worker;
