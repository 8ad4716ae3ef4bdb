//! A server that loses no delivery on closed connections, idle clients or shutdown.

mod accept;
mod listener;
mod server;
mod signal;

pub use listener::{Listener, listener};
pub use server::{Serve, ServeFuture, serve};
pub use signal::shutdown_signal;
