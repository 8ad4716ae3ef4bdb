#![doc = include_str!("../README.md")]
//!
//! # Contents
//!
//! | | |
//! |---|---|
//! | Start here | [`Secret`], [`Verifier`], [`WebhookEvent`] |
//! | Receive | [`WebhookConfig::receive`], [`RequestHead`], [`HttpHead`], [`VerifiedRequest`], [`ClaimedDelivery`], [`RejectedRequest`] |
//! | Verify | [`SignatureHeaders`], [`Verification`], [`Delivery`], [`Rejection`]: why a request was rejected, and its status |
//! | Events | [`EventName`], [`Action`], [`Payload`], [`EventItem`], [`EventPattern`], [`EventRouter`] |
//! | Records | [`records`]: Twenty's standard objects; [`RawJson`], [`Extra`], [`RecordError`], [`DecodeError`] |
//! | Replay | [`ReplayGuard`], [`MemoryReplayGuard`], [`Claim`], [`ReplayKey`], [`DeliveryId`], [`InsecureFallback`] |
//! | Configuration | [`WebhookConfig`], [`Tolerance`], [`SharedVerifier`] to rotate a secret, [`VerifierSource`] for many tenants |
//! | Observe | [`Outcome`], [`OutcomeKind`]; [`escaped`] for logs |
#![cfg_attr(
    feature = "diagnose",
    doc = "| Diagnose | [`Verifier::diagnose`], [`Diagnosis`], [`Finding`], [`RecordedRequest`] |"
)]
//! | Test | [`Signer`], [`Clock`], [`UnixMillis`], and the crate `twenty-webhook-testing` |
//!
//! # Types of other crates
//!
//! Three crates have types in this API. They are exported from here, so you need not depend on them, and the versions always match:
//!
//! | crate | types |
//! |---|---|
//! | `twenty_webhook_core::http` ([docs](https://docs.rs/http)) | [`StatusCode`](http::StatusCode), [`HeaderMap`](http::HeaderMap), [`Response`](http::Response) |
//! | `twenty_webhook_core::bytes` ([docs](https://docs.rs/bytes)) | [`Bytes`](bytes::Bytes): a body |
//! | `twenty_webhook_core::jiff` ([docs](https://docs.rs/jiff)) | [`Timestamp`](jiff::Timestamp), [`civil::Date`](jiff::civil::Date): dates |
//!
//! # Step by step
//!
//! A request becomes an event in a fixed order. Each step consumes the result of the step before:
//!
//! ```
//! # use twenty_webhook_core::{Rejection, Secret, SignatureHeaders, Signer, Verifier, WebhookEvent};
//! # fn receive(verifier: &Verifier, headers: &http::HeaderMap, chunks: Vec<bytes::Bytes>) -> Result<WebhookEvent, Rejection> {
//! let headers = SignatureHeaders::from_map(headers)?; // 401, before the body is read
//! let mut verification = verifier.begin(headers)?; // 401: stale timestamp
//! for chunk in chunks {
//!     verification.push(chunk)?; // 413: too large
//! }
//! let delivery = verification.finish()?; // 401: signature mismatch
//! let event = delivery.into_event()?; // 422: signed, but not an event
//! # Ok(event) }
//! # let secret = Secret::new("s").unwrap();
//! # let body = br#"{"event":"person.created","data":{}}"#;
//! # let headers = Signer::new(secret.clone()).sign(body);
//! # receive(&secret.into(), &headers, vec![body.as_slice().into()]).unwrap();
//! ```
//!
//! # WebAssembly
//!
//! The crate builds for `wasm32-unknown-unknown` if the program enables getrandom's feature `wasm_js`, or configures another backend of
//! getrandom 0.4. That target has no system clock: reading the time panics. Pass the time to [`Verifier::begin_at`] or
//! [`Verifier::verify_at`], or set a [`Clock`] on the verifier. Of the rest, use events and records; the pipeline that drives the adapters
//! reads the monotonic clock too.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body_budget;
mod clock;
mod config;
mod delivery;
#[cfg(feature = "diagnose")]
mod diagnose;
mod escaped;
mod event;
mod headers;
mod json;
mod pipeline;
pub mod records;
mod rejection;
mod replay;
mod request_head;
mod router;
mod secret;
mod signature;
mod signer;
mod unix_millis;
mod verification;
mod verifier;
mod verifiers;

pub use clock::Clock;
pub use config::WebhookConfig;
pub use delivery::{Delivery, DeliveryId, InvalidDeliveryId, SignedWith};
#[cfg(feature = "diagnose")]
pub use diagnose::{BodyMistake, Diagnosis, Finding, MessageMistake, SecretMistake, SignatureMistake, TimestampUnit};
pub use escaped::{Escaped, escaped};
pub use event::{
    Action, BatchItem, EventItem, EventName, EventPattern, EventPatternError, MetadataChange, NotAnEvent,
    ObjectMetadata, OtherAction, Payload, RecordError, WebhookEvent,
};
pub use headers::{NONCE_HEADER, SIGNATURE_HEADER, SignatureHeaders, TIMESTAMP_HEADER};
#[cfg(feature = "diagnose")]
pub use pipeline::RecordedRequest;
pub use pipeline::{ClaimedDelivery, Outcome, OutcomeKind, RejectedRequest, VerifiedRequest};
// Hidden, because foreign modules would head the list of items. The front page names them.
pub use json::{DecodeError, Extra, RawJson};
pub use rejection::{BodyError, Rejection};
#[cfg(feature = "replay-contract")]
pub use replay::contract as replay_contract;
pub use replay::{
    Claim, FallbackLease, GuardError, InsecureFallback, InvalidReplayKey, MemoryLease, MemoryReplayGuard, ReplayGuard,
    ReplayKey,
};
pub use request_head::{HttpHead, RequestHead};
pub use router::{EventHandler, EventRouter, HandlerOutput, RouteError};
pub use secret::{Secret, SecretError};
pub use signature::Signature;
pub use signer::Signer;
pub use unix_millis::{Tolerance, UnixMillis};
pub use verification::Verification;
pub use verifier::Verifier;
pub use verifiers::{SharedVerifier, SourceError, Target, VerifierSource};
#[doc(hidden)]
pub use {bytes, http, jiff};
