use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why the inbox could not do what it was asked to. For a receiver each of them means: not stored, so answer 503.
///
/// Cheap to clone: all the deliveries of a commit that failed get the same.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The database refused: it is full, read-only, locked, down, or not what it should be.
    #[error("the inbox's database: {0}")]
    Database(#[source] Arc<dyn Error + Send + Sync>),
    /// The database did not commit in time. It may still; then the event is handled although the caller was told otherwise.
    #[error("the inbox's database did not commit within {0:?}")]
    Deadline(Duration),
    /// The database file was deleted or replaced while it was open: what is written now is lost when the process ends.
    #[error("the inbox's file {0:?} was deleted or replaced while it was open; start again")]
    FileGone(PathBuf),
    /// It was to be opened as it is, and it is not an inbox.
    #[error("this is no inbox: {0}")]
    NotAnInbox(String),
    /// The event did not come out of a verification in this process, so nothing says that Twenty sent it.
    #[error("only an event that was just verified can be stored")]
    Unverified,
    /// Another process has taken over the catch-up of this workspace.
    #[error("another process catches up on this inbox")]
    CatchUpLeaseLost,
    /// The runtime that the inbox was opened in is gone.
    #[error("the runtime that the inbox was opened in has ended")]
    Closed,
}

impl InboxError {
    /// For a [`Store`](crate::Store): the database's own error.
    pub fn database(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Database(error.into().into())
    }
}
