use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::timeout;

/// Queues the processes that write to one file. SQLite's own lock has no queue: a process that finds it taken sleeps for up to a tenth of a
/// second and tries again. So two processes that write without a pause can starve a third one for many seconds, with its heartbeat. The
/// system's file locks wake the process that waits.
///
/// It is only for fairness. SQLite's guarantees do not depend on it, so writers go on without it if the file system has no locks, or if a
/// stopped process holds one.
#[derive(Clone, Debug)]
pub(crate) struct WriteLock(Arc<Mutex<File>>);

/// Many times longer than a commit, and much shorter than the deadline of a delivery.
const LONGEST: Duration = Duration::from_millis(500);

impl WriteLock {
    /// The lock file is next to the database, like SQLite's own two files.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-write-lock");
        // A lock needs no write permission, and another user's process may have created the file.
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).or_else(|_| File::open(&path))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    pub(crate) async fn acquire(&self) -> Option<WriteGuard> {
        let acquire = async {
            let file = Arc::clone(&self.0).lock_owned().await;
            match file.try_lock() {
                Ok(()) => return Some(WriteGuard(file)),
                Err(TryLockError::Error(_)) => return None,
                Err(TryLockError::WouldBlock) => {}
            }
            // In a thread, at most one at a time. A blocking task would keep the runtime from ending.
            let (send, locked) = oneshot::channel();
            let wait = move || drop(file.lock().map(|()| send.send(WriteGuard(file))));
            thread::Builder::new().spawn(wait).ok()?;
            locked.await.ok()
        };
        timeout(LONGEST, acquire).await.ok().flatten()
    }
}

/// Released when it is dropped.
#[derive(Debug)]
pub(crate) struct WriteGuard(OwnedMutexGuard<File>);

impl Drop for WriteGuard {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
