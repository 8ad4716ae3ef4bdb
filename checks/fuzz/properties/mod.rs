//! What must hold for every input. Run by the fuzzer, and over the corpus by the plain tests.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each target uses one of them; the tests use all")]

pub mod chunks;
pub mod events;
pub mod headers;
pub mod patterns;
mod textbook;
