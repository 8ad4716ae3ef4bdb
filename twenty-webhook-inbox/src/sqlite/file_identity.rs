use std::io;
use std::path::{Path, PathBuf};

use crate::InboxError;

/// Recognises a database file. In write-ahead log mode SQLite does not notice that its file was deleted: it goes on committing into a file
/// that cannot be opened again.
#[derive(Clone, Debug)]
pub(crate) struct FileIdentity {
    path: PathBuf,
    id: Option<Id>,
}

type Id = (u64, u64);

impl FileIdentity {
    pub(crate) fn of(path: &Path) -> Result<Self, InboxError> {
        // Absolute, so that a change of the working directory does no harm.
        let path = path.canonicalize().map_err(InboxError::database)?;
        let id = id(&path).map_err(InboxError::database)?;
        Ok(Self { path, id })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn check(&self) -> Result<(), InboxError> {
        match id(&self.path) {
            Ok(id) if id == self.id => Ok(()),
            _ => Err(InboxError::FileGone(self.path.clone())),
        }
    }
}

#[cfg(unix)]
fn id(path: &Path) -> io::Result<Option<Id>> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map(|metadata| Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn id(path: &Path) -> io::Result<Option<Id>> {
    path.metadata().map(|_| None)
}
