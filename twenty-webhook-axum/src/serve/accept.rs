use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// How long to wait after a failure that is not of one connection, such as too many open files.
const RETRY: Duration = Duration::from_millis(100);

/// How often such failures are logged at most.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Takes connections from a listener, whatever fails.
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
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.log(&error);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Closes the listener. Returns the connections that were waiting in its queue: with the last descriptor of the socket, the kernel
    /// would reset them.
    pub(super) fn close(self) -> impl Iterator<Item = TcpStream> {
        // Asks the kernel, which may know of connections that the runtime was not told of yet.
        let listener = self.listener.into_std();
        std::iter::from_fn(move || {
            let listener = listener.as_ref().ok()?;
            loop {
                match listener.accept() {
                    Ok((stream, _)) => {
                        stream.set_nonblocking(true).ok()?;
                        return TcpStream::from_std(stream).ok();
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(_) => return None,
                }
            }
        })
    }

    /// Anybody can cause these, so they are not logged as often as they come.
    fn log(&mut self, error: &io::Error) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            tracing::error!(target: "twenty_webhook", %error, "connections cannot be accepted: they wait in the kernel's queue");
        }
    }
}

/// Whether the next connection may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}
