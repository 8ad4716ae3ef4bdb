use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// The pause after a failure that affects every connection, such as too many open files.
const RETRY: Duration = Duration::from_millis(100);

/// The least time between two log lines about such failures.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Accepts connections from a listener, and goes on after errors.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: TcpListener,
    logged: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, logged: None }
    }

    pub(super) async fn next(&mut self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    self.log(&error);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Closes the listener. Returns the connections that wait in its queue: the kernel resets them when the socket's last descriptor
    /// closes.
    pub(super) fn close(self) -> impl Iterator<Item = TcpStream> {
        // Asks the kernel: the runtime may not know of the newest connections yet.
        let listener = self.listener.into_std();
        std::iter::from_fn(move || {
            let listener = listener.as_ref().ok()?;
            loop {
                match listener.accept() {
                    Ok((stream, _)) => {
                        stream.set_nonblocking(true).ok()?;
                        return TcpStream::from_std(stream).ok();
                    }
                    Err(error) if is_connection_error(&error) => {}
                    Err(_) => return None,
                }
            }
        })
    }

    /// Limits the rate of log lines, because any client can cause these errors.
    fn log(&mut self, error: &io::Error) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            tracing::error!(target: "twenty_webhook", %error, "cannot accept connections: they wait in the kernel's queue");
        }
    }
}

/// Whether the error affects one connection only, so that the next `accept` may succeed.
fn is_connection_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}
