#![doc = include_str!("../../README.md")]

#[doc = include_str!("../../docs/events.md")]
pub mod events {}
