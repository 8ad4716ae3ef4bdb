//! A fake Twenty in the test's process: records, webhooks that lose events like the real ones, and the REST API.

mod builder;
mod calls;
mod change;
mod data;
mod faults;
mod jobs;
mod ledger;
mod rate;
mod rest;
mod role;
mod state;
mod twenty;
mod webhooks;

pub use builder::FakeTwentyBuilder;
pub use faults::{ApiFailure, Faults};
pub use ledger::{Call, Change, Emission, Ledger, Outcome};
pub use rate::RateLimit;
pub use role::Role;
pub use twenty::FakeTwenty;
