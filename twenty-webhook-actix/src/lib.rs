#![cfg_attr(feature = "serve", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "serve"), doc = "Receives webhooks of Twenty CRM in actix-web.")]
//!
//! # Contents
//!
//! | | |
//! |---|---|
//! | Start here | [`TwentyWebhookMiddleware`], the extractor [`Webhook`], [`Secret`] |
//! | Receive | [`TwentyWebhook`], [`Rejection`]: why a request was rejected, and its status; [`RejectionError`], [`MissingConfig`], [`Delivery`] |
//! | Events | [`WebhookEvent`], [`Action`], [`EventName`], [`EventItem`], [`EventPattern`], [`EventRouter`] |
//! | Records | [`records`]: Twenty's standard objects; [`RawJson`], [`RecordError`], [`escaped`] for logs |
//! | Replay | [`ReplayGuard`], [`MemoryReplayGuard`], [`ReplayKey`], [`DeliveryId`] |
//! | Configuration | [`WebhookConfig`], [`Verifier`], [`VerifierSource`] for many tenants, [`Tolerance`], [`Outcome`] |
#![cfg_attr(feature = "serve", doc = "| Serve | [`serve()`], [`listener`] and its [`Listener`], [`shutdown_signal`] |")]
//! | Test | [`Signer`], [`Clock`], and the crate `twenty-webhook-testing` |
//!
//! Everything else of `twenty-webhook-core` is in [`core`], with the crates whose types this API has: `core::http`, `core::bytes` and
//! `core::jiff`. actix-web 4 has an older `http`: use `core::http` for this crate's settings.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod extract;
mod middleware;
mod receive;
mod router;
#[cfg(feature = "serve")]
mod serve;

pub use error::{MissingConfig, RejectionError};
pub use extract::Webhook;
pub use middleware::{TwentyWebhook, TwentyWebhookMiddleware};
#[cfg(feature = "serve")]
pub use serve::{Listener, Serve, ServeFuture, listener, serve, shutdown_signal};
pub use twenty_webhook_core as core;
#[doc(inline)]
pub use twenty_webhook_core::{
    Action, BatchItem, Claim, Clock, DecodeError, Delivery, DeliveryId, EventHandler, EventItem, EventName,
    EventPattern, EventPatternError, EventRouter, Extra, GuardError, InsecureFallback, MemoryReplayGuard,
    MetadataChange, NotAnEvent, ObjectMetadata, OtherAction, Outcome, OutcomeKind, Payload, RawJson, RecordError,
    Rejection, ReplayGuard, ReplayKey, RouteError, Secret, SecretError, SharedVerifier, SignedWith, Signer,
    SourceError, Target, Tolerance, UnixMillis, Verifier, VerifierSource, WebhookConfig, WebhookEvent, escaped,
    records,
};
#[cfg(feature = "diagnose")]
#[doc(inline)]
pub use twenty_webhook_core::{Diagnosis, Finding};
