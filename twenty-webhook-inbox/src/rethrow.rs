use std::panic::resume_unwind;

use tokio::task::JoinError;

/// Goes on with the panic of a task.
pub(crate) fn rethrow(error: JoinError) {
    if let Ok(panic) = error.try_into_panic() {
        resume_unwind(panic);
    }
}
