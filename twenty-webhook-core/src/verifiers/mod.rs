//! Where a receiver gets its verifier: a fixed one, one replaced at run time, or a look-up for each request.

mod cache;
mod lookup;
mod shared;
mod source;

pub(crate) use cache::Key as LookupKey;
pub(crate) use lookup::Lookup;
pub use shared::SharedVerifier;
pub(crate) use source::VerifierProvider;
pub use source::{SourceError, Target, VerifierSource};
