use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::InboxError;

/// A thread that runs transactions. SQLite has one write lock. If a handler blocked the threads of the user's runtime while that is held,
/// nothing could write, not even this worker's heartbeat. And a transaction ends even if its caller is cancelled.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    runtime: Handle,
    _stop: Arc<oneshot::Sender<()>>,
}

impl Driver {
    pub(crate) fn start() -> Result<Self, InboxError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build().map_err(InboxError::database)?;
        let handle = runtime.handle().clone();
        let drive = move || {
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        thread::Builder::new().name("inbox sqlite".to_owned()).spawn(drive).map_err(InboxError::database)?;
        Ok(Self { runtime: handle, _stop: Arc::new(stop) })
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, InboxError>> + Send + 'static,
    ) -> Result<T, InboxError> {
        self.runtime.spawn(work).await.unwrap_or(Err(InboxError::Closed))
    }
}
