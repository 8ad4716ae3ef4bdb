//! What the benches share: the bodies, the peers, and the measuring. See `docs/performance.md`.

pub mod bars;
pub mod claims;
pub mod http;
pub mod peers;
pub mod receivers;
pub mod rounds;
pub mod samples;
