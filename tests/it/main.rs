//! What every receiver must do, shown through every receiver.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod adapters;
mod fuzz_corpus;
mod logs;
mod peers;
mod receivers;
mod replays;
mod samples;
#[cfg(target_os = "linux")]
mod sockets;
mod table;
mod vectors;
