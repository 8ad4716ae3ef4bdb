//! A replay guard for several receivers of Twenty's webhooks: [`RedisReplayGuard`] keeps the claims in one Redis, so that a replay
//! or a duplicate is not handled by another receiver either.
//!
//! It is for Redis from version 5, or Valkey: one server, or one primary with replicas behind one address; not for Redis Cluster.
//! What the server must be like:
//!
//! - **It must not evict** (`maxmemory-policy noeviction`, the default): an evicted claim is a replay that is let in. When it is
//!   full, new deliveries are refused with 503; those already let in can still be completed.
//! - **Its clock must be right**, within the tolerance of the verifiers. It is the one clock of all receivers for claims and leases,
//!   so theirs may differ a little. When it is ahead by more than the tolerance, everything is refused as expired.
//! - **It may lose its memory**: then a replay is let in once, for as long as its signature is fresh. That is so when it is
//!   restarted without persistence, or when a replica takes over that had not been told of the latest claims yet.
//!
//! # Features
//! `tls`: URLs with `rediss://`, by rustls and the certificates of the system. If the program has installed no
//! [`CryptoProvider`](https://docs.rs/rustls/0.23/rustls/crypto/struct.CryptoProvider.html), *ring* is installed.

mod connection;
mod guard;

pub use guard::{InvalidUrl, RedisLease, RedisReplayGuard};
