use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why a call to the inbox failed. In a receiver, each of these means that the event may not be stored: answer 503.
///
/// Cheap to clone: all deliveries of a failed commit get the same one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// The database is full, read-only, locked, down, or not an inbox's.
    #[error("the inbox's database: {0}")]
    Database(#[source] Arc<dyn Error + Send + Sync>),
    /// The database did not answer within this time. It may still commit; then the event is handled although this error was returned.
    #[error("the inbox's database did not commit within {0:?}")]
    Deadline(Duration),
    /// The database file at this path was deleted or replaced while it was open. What the process writes to it is lost when the process
    /// ends.
    #[error("the inbox's file {0:?} was deleted or replaced while it was open; start again")]
    FileGone(PathBuf),
    /// There is no inbox to open, or it has the tables of an older version. The text says which.
    #[error("this is no inbox: {0}")]
    NotAnInbox(String),
    /// This process did not verify the event, so nothing proves that Twenty sent it.
    #[error("only an event that was just verified can be stored")]
    Unverified,
    /// Another process holds the catch-up lease of this workspace, or this process's lease has expired.
    #[error("another process holds the catch-up lease")]
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
