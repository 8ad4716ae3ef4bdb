use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::timeout;

/// A queue for those who write, among the processes on one file. SQLite's own lock has none: a process that finds it taken sleeps for up
/// to a tenth of a second and looks again, and between two processes that write without a pause a third one can starve for many seconds,
/// its heartbeat too. The system's file locks wake the one that waits.
///
/// It is only for fairness: without it, what SQLite guarantees holds all the same. So where the file system knows no locks, or a process
/// that was stopped holds one, writers go on without.
#[derive(Clone, Debug)]
pub(crate) struct WriteLock(Arc<Mutex<File>>);

/// Many times what a commit takes, and short beside the deadline of a delivery.
const LONGEST: Duration = Duration::from_millis(500);

impl WriteLock {
    /// Beside the database, as SQLite's own two files are.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-write-lock");
        // A lock needs no right to write: another user's process may have made the file.
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
            // In a thread of its own, of which there is at most one: a runtime that ends waits for its blocking tasks.
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
