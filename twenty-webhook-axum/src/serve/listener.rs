use std::fmt::Display;
use std::io;
use std::net::ToSocketAddrs;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The socket to serve on: the one that systemd or another supervisor hands over, or else a new one, bound to `addr`.
///
/// A socket that a supervisor holds stays open while the receiver restarts: the kernel queues the deliveries of that time, and the next
/// process answers them. Without it the port is closed meanwhile, and Twenty does not send again what was refused.
///
/// Call it first in `main`, before anything that takes time or may fail. The socket is the first of those in `LISTEN_FDS`
/// ([`sd_listen_fds(3)`](https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html)); the variable is removed from the
/// environment, so that child processes do not take it for theirs. `addr` is then not used.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let listener = twenty_webhook_axum::listener("127.0.0.1:3000")?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
///
/// # Errors
/// If `addr` is not an address, cannot be resolved or cannot be bound, or the descriptor in `LISTEN_FDS` is not a TCP socket. The
/// error's text says which.
///
/// # Panics
/// Outside of a tokio runtime with I/O enabled.
pub fn listener(addr: impl ToSocketAddrs + Display) -> io::Result<TcpListener> {
    let handed_over = ListenFd::from_env()
        .take_tcp_listener(0)
        .map_err(|error| explained(&error, "cannot use the socket that LISTEN_FDS hands over"))?;
    let listener = match handed_over {
        Some(listener) => listener,
        None => std::net::TcpListener::bind(&addr)
            .map_err(|error| explained(&error, &format!("cannot listen on {addr}")))?,
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn explained(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
