//! Receivers in separate processes, and their load.

mod load;
mod receiver;
mod requests;

pub use load::{Load, run};
pub use receiver::{Receiver, Usage};
pub use requests::Requests;

use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the receivers. Everything else is pinned to [`LOAD_CORE`].
pub const RECEIVER_CORE: usize = 0;

/// The core of the load.
pub const LOAD_CORE: usize = 1;

/// Keeps this process and its child processes off the receivers' core.
pub fn pin_to_load_core() {
    let mut cores = CpuSet::new();
    cores.set(LOAD_CORE);
    sched_setaffinity(None, &cores).expect("this machine has two cores");
}
