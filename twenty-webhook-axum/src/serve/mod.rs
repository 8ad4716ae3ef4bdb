//! A server that loses no delivery on closed connections, idle clients or shutdown.

mod accept;
mod connection;
mod listener;
mod phase;
mod server;
mod signal;

pub use listener::listener;
pub use server::{Serve, ServeFuture, serve};
pub use signal::shutdown_signal;
