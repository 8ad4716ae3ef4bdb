//! Remembers claimed deliveries, so that the handler gets each one once.

#[cfg(feature = "replay-contract")]
pub mod contract;
mod fallback;
mod gate;
mod guard;
mod key;
mod memory;
mod shard;

pub use fallback::{FallbackLease, InsecureFallback};
pub(crate) use gate::{HeldLease, ReplayGate};
pub use guard::{Claim, GuardError, ReplayGuard};
pub(crate) use key::Scope;
pub use key::{InvalidReplayKey, ReplayKey};
pub use memory::{MemoryLease, MemoryReplayGuard};
