#![doc = include_str!("../../README.md")]

#[doc = include_str!("../../docs/getting-started.md")]
mod getting_started {}

#[doc = include_str!("../../docs/events.md")]
pub mod events {}

#[doc = include_str!("../../docs/not-delivered.md")]
pub mod not_delivered {}

#[doc = include_str!("../../docs/tenants.md")]
mod tenants {}

#[doc = include_str!("../../docs/observability.md")]
mod observability {}
