//! Shared by the benches: bodies, peers and measuring. See `docs/performance.md`.

pub mod claims;
pub mod http;
pub mod limits;
pub mod peers;
pub mod receivers;
pub mod rounds;
pub mod samples;
