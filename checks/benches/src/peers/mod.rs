//! The peers of the comparison: hand-written receivers, and other crates, used as their documentation shows.

mod event;
mod hand_written;
mod mac;
mod octo;
mod svix_family;

pub use event::{HandEvent, HandPerson, envelope};
pub use hand_written::HandWritten;
pub use mac::{AwsLc, Prepared, Ring, RustCrypto};
pub use octo::Octoevents;
pub use svix_family::{StandardWebhooks, Svix};
