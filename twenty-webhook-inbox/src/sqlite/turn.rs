use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

use crate::InboxError;

/// Whose turn it is to write, among the processes on one file. SQLite's own lock has no queue: who finds it taken sleeps for up to a tenth
/// of a second and looks again, and between two processes that write without a pause a third one can starve for many seconds; a worker's
/// sign of life among the rest. The system's file locks wake who waits.
///
/// It is only about turns. Without it, what SQLite guarantees holds all the same.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<File>>);

impl Turns {
    /// Beside the database, as SQLite's own two files are.
    pub(crate) fn of(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-turn");
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    pub(crate) async fn take(&self) -> Result<Turn, InboxError> {
        let file = Arc::clone(&self.0).lock_owned().await;
        let locked = spawn_blocking(move || file.lock().map(|()| Turn(file)));
        locked.await.map_err(|_| InboxError::Closed)?.map_err(InboxError::database)
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
