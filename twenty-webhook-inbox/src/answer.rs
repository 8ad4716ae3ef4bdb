use std::time::Duration;

use tokio::time::timeout;

use crate::InboxError;

/// Longer than a database that works takes to answer.
const ANSWER: Duration = Duration::from_secs(25);

/// A call to the database, which fails if it hangs.
pub(crate) async fn answer<T>(call: impl Future<Output = Result<T, InboxError>>) -> Result<T, InboxError> {
    timeout(ANSWER, call).await.unwrap_or(Err(InboxError::Deadline(ANSWER)))
}
