#![doc = include_str!("../README.md")]
//!
//! # Contents
//!
//! | | |
//! |---|---|
//! | Start here | [`RedisReplayGuard`] |
//! | Errors | [`InvalidUrl`] |
//! | Replay | [`RedisLease`] |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
mod guard;

pub use guard::{InvalidUrl, RedisLease, RedisReplayGuard};
