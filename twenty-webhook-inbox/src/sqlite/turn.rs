use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Whose turn it is to write, among the processes on one file. SQLite's own lock has no queue: who finds it taken sleeps for up to a tenth
/// of a second and looks again, and between two processes that write without a pause a third one can starve for many seconds; a worker's
/// sign of life among the rest. The system's file locks wake who waits.
///
/// It is only about turns: without one, what SQLite guarantees holds all the same. So where the file system knows no locks, or a process
/// that was stopped holds one, writers go on without.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<File>>);

/// Many times what a commit takes, and short beside the deadline of a delivery.
const LONGEST: Duration = Duration::from_secs(1);

impl Turns {
    /// Beside the database, as SQLite's own two files are.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-turn");
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    pub(crate) async fn take(&self) -> Option<Turn> {
        let take = async {
            let file = Arc::clone(&self.0).lock_owned().await;
            spawn_blocking(move || file.lock().map(|()| Turn(file))).await.ok()?.ok()
        };
        timeout(LONGEST, take).await.ok().flatten()
    }
}

/// Over when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(OwnedMutexGuard<File>);

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
