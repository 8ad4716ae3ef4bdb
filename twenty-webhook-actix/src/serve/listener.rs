use std::fmt::Display;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::ops::Deref;

use listenfd::ListenFd;

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
/// let listener = twenty_webhook_actix::listener("127.0.0.1:3000")?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
///
/// # Errors
/// If `addr` is not an address, cannot be resolved or cannot be bound, or if the descriptor in `LISTEN_FDS` is not a TCP socket. The
/// message says which.
pub fn listener(addr: impl ToSocketAddrs + Display) -> io::Result<Listener> {
    let inherited = ListenFd::from_env()
        .take_tcp_listener(0)
        .map_err(|error| with_context(&error, "cannot use the socket in LISTEN_FDS"))?;
    match inherited {
        Some(listener) => Ok(Listener::from(listener)),
        None => match TcpListener::bind(&addr) {
            Ok(socket) => Ok(Listener { socket, is_own: true }),
            Err(error) => Err(with_context(&error, &format!("cannot listen on {addr}"))),
        },
    }
}

/// A socket to [`serve`](crate::serve()) on. [`listener`] opens it.
///
/// A [`TcpListener`] converts into one that other processes may have too. At a shutdown, [`serve`](crate::serve()) does not close such a
/// socket before it ends: connections that arrive then wait in its queue, and are reset if no other process has it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    /// Whether no other process has it.
    pub(super) is_own: bool,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, is_own: false }
    }
}

impl Deref for Listener {
    type Target = TcpListener;

    fn deref(&self) -> &TcpListener {
        &self.socket
    }
}

fn with_context(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
