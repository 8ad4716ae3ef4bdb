//! Remembers claimed deliveries, so that the handler gets each one once.

mod any_guard;
#[cfg(feature = "replay-contract")]
pub mod contract;
mod fallback;
mod guard;
mod key;
mod memory;
mod shard;

pub(crate) use any_guard::{AnyLease, AnyReplayGuard};
pub use fallback::{FallbackLease, InsecureFallback};
pub use guard::{Claim, GuardError, ReplayGuard};
pub(crate) use key::Scope;
pub use key::{InvalidReplayKey, ReplayKey};
pub use memory::{MemoryLease, MemoryReplayGuard};
