//! Who has already claimed a delivery, so that no copy of it reaches the handler twice.

#[cfg(feature = "replay-contract")]
pub mod contract;
mod fallback;
mod gate;
mod guard;
mod lease;
mod memory;
mod shard;

pub use fallback::InsecureOrElse;
pub use gate::{Admission, ReplayGate};
pub use guard::{Claim, GuardError, ReplayGuard};
pub use lease::Lease;
pub use memory::MemoryReplayGuard;
