//! Tests receivers of [Twenty CRM](https://twenty.com)'s webhooks.
//!
//! | to test | use |
//! |---|---|
//! | a handler | [`event`]`("person.created").stored()` |
//! | a route, in process | [`event`]`(…).signed_with(&secret).http()` or `.actix()`, and [`ReceiverResponse`] |
//! | a receiver on a socket | `.raw()`, or `FakeTwenty` |
//! | time | [`TestClock`] |
//! | an outage, a rate limit, reordering, duplicates | `FakeTwenty` |
//!
//! ```
//! use serde_json::json;
//! use twenty_webhook_core::{Secret, Verifier};
//! use twenty_webhook_testing::{Tamper, event};
//!
//! let secret = Secret::new("s3cret")?;
//! let won = event("opportunity.updated").record(json!({ "stage": "WON" }));
//!
//! let delivery = won.signed_with(&secret);
//! let verifier = Verifier::new(secret);
//! assert!(verifier.verify(&delivery.headers(), delivery.body()).is_ok());
//!
//! let changed = delivery.tampered(Tamper::Body);
//! assert_eq!(verifier.verify(&changed.headers(), changed.body()).unwrap_err().code(), "signature_mismatch");
//! # Ok::<(), twenty_webhook_core::SecretError>(())
//! ```

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
    ApiFailure, Call, Change, FakeTwenty, FakeTwentyBuilder, Fate, Faults, Ledger, Outcome, RateLimit, Role,
};
pub use recorder::Recorder;
pub use request::{SignedRequest, Tamper};
pub use response::ReceiverResponse;
pub use sample::{EventBuilder, Form, SampleError, Version, event, standard_objects};
