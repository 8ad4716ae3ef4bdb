#![doc = include_str!("../../README.md")]

#[doc = include_str!("../../docs/events.md")]
pub mod events {}

#[doc = include_str!("../../docs/not-delivered.md")]
pub mod not_delivered {}
