//! The receivers that are measured over HTTP, several kinds for each framework.

/// For actix-web.
pub mod actix;
/// For axum.
pub mod axum;

use crate::peers::{HandWritten, RustCrypto};

/// The verifier of the hand-written receivers.
type Baseline = HandWritten<RustCrypto>;

/// The path of all receivers.
const PATH: &str = "/webhooks/twenty";

/// The size limit of a body in bytes, the same as this project's default.
const LIMIT: usize = 32 * 1024 * 1024;
