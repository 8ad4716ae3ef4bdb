use std::time::Duration;

use tokio::time::sleep;

use crate::answer::answer;
use crate::{Inbox, Maintenance, Store};

const EVERY: Duration = Duration::from_mins(1);
const AT_A_TIME: u32 = 500;

/// Deletes jobs past their retention, and repairs timestamps left in the future after the clock was set back.
pub(crate) async fn run<S: Store>(inbox: Inbox<S>, first: Duration) {
    let maintenance =
        Maintenance { retention: inbox.retention, dead_retention: inbox.dead_retention, limit: AT_A_TIME };
    sleep(first).await;
    loop {
        match answer(inbox.store.maintain(&maintenance)).await {
            Ok(true) => {
                // Let others write in between.
                tokio::task::yield_now().await;
                continue;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot maintain the inbox"),
        }
        sleep(EVERY).await;
    }
}
