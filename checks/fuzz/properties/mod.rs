//! Properties of every input. The fuzzer checks them, and the normal tests check them for the corpus.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each target uses one module, the tests use all")]

pub mod chunks;
pub mod events;
pub mod headers;
pub mod patterns;
mod textbook;
