//! Serving an app so that no delivery is lost by the way it is served.

mod listener;
mod server;
mod signal;

pub use listener::listener;
pub use server::{Serve, ServeFuture, serve};
pub use signal::shutdown_signal;
