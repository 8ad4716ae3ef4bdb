use std::fmt::Display;
use std::io;
use std::net::ToSocketAddrs;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// Opens the socket to serve on: takes it over from systemd or another supervisor, or else binds `addr`.
///
/// A supervisor's socket stays open while the receiver restarts: the kernel queues new deliveries, and the next process answers them.
/// Without a supervisor the port is closed during a restart, and Twenty does not resend refused deliveries.
///
/// Call it first in `main`, before anything that takes time or may fail. It uses the first socket of `LISTEN_FDS`
/// ([`sd_listen_fds(3)`](https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html)) and ignores `addr`. It
/// removes the variable from the environment, so that child processes do not use the socket too.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let listener = twenty_webhook_axum::listener("127.0.0.1:3000")?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
///
/// # Errors
/// If `addr` is not an address, cannot be resolved or cannot be bound, or if the descriptor in `LISTEN_FDS` is not a TCP socket. The
/// message says which.
///
/// # Panics
/// Outside a tokio runtime with I/O enabled.
pub fn listener(addr: impl ToSocketAddrs + Display) -> io::Result<TcpListener> {
    let inherited = ListenFd::from_env()
        .take_tcp_listener(0)
        .map_err(|error| with_context(&error, "cannot use the socket in LISTEN_FDS"))?;
    let listener = match inherited {
        Some(listener) => listener,
        None => std::net::TcpListener::bind(&addr)
            .map_err(|error| with_context(&error, &format!("cannot listen on {addr}")))?,
    };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn with_context(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
