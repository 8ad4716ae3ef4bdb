//! Finds out why a request does not verify, by trying common mistakes.

mod body;
mod diagnosis;
mod finding;
mod headers;
mod json_text;
mod key;
mod messages;
mod mistake;
mod search;
mod signature_text;
mod time;

pub use diagnosis::Diagnosis;
pub use finding::Finding;
pub(crate) use key::KeyVariant;
pub use mistake::{BodyMistake, MessageMistake, SecretMistake, SignatureMistake, TimestampUnit};
