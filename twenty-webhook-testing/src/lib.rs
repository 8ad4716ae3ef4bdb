#![doc = include_str!("../README.md")]
//!
//! # Contents
//!
//! | | |
//! |---|---|
//! | Start here | [`event`], [`SignedRequest`], [`ReceiverResponse`] |
//! | Events | [`EventBuilder`], [`Form`], [`Version`], [`standard_objects`], [`SampleError`] |
//! | Receive | [`SignedRequest`], [`Tamper`], [`ReceiverResponse`], [`Recorder`] |
//! | Time | [`TestClock`] |
#![cfg_attr(
    feature = "fake-twenty",
    doc = "| Fake Twenty | [`FakeTwenty`], [`FakeTwentyBuilder`], [`Faults`], [`RateLimit`], [`ApiFailure`], [`Role`] |
| Ledger | [`Ledger`], [`Change`], [`Emission`], [`Call`], [`Outcome`] |"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "actix")]
mod actix;
mod clock;
#[cfg(feature = "fake-twenty")]
mod fake;
mod recorder;
mod request;
mod response;
mod sample;

pub use clock::TestClock;
#[cfg(feature = "fake-twenty")]
pub use fake::{
    ApiFailure, Call, Change, Emission, FakeTwenty, FakeTwentyBuilder, Faults, Ledger, Outcome, RateLimit, Role,
};
pub use recorder::Recorder;
pub use request::{SignedRequest, Tamper};
pub use response::ReceiverResponse;
pub use sample::{EventBuilder, Form, SampleError, Version, event, standard_objects};
