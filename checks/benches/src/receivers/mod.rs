//! The receivers that are measured over HTTP, of several kinds for each framework.

/// For actix-web.
pub mod actix;
/// For axum.
pub mod axum;

use crate::peers::{HandWritten, RustCrypto};

/// What a hand-written receiver verifies with.
type Floor = HandWritten<RustCrypto>;

/// The path that all of them answer.
const PATH: &str = "/webhooks/twenty";

/// What a body may be long, as by our default.
const LIMIT: usize = 32 * 1024 * 1024;
