use std::time::Duration;

use tokio::time::sleep;

use crate::Store;
use crate::source::{ANSWER, Persist};
use crate::worker::Terms;

const EVERY: Duration = Duration::from_mins(1);
const AT_A_TIME: u32 = 500;

/// Deletes what has been kept long enough, and undoes what a clock that was set back has done.
pub(crate) async fn keep<S: Store>(persist: &Persist<S>, retention: Duration, terms: &Terms) {
    // In a line of its own: jobs are not to wait for it.
    let line = persist.another_line(ANSWER);
    let longest_wait = terms.backoff.longest_with_jitter();
    sleep(terms.heartbeat()).await;
    loop {
        let tidy = move |store: S| async move { store.tidy(retention, longest_wait, AT_A_TIME).await };
        match line.talk(tidy).await {
            // There is more.
            Ok(deleted) if deleted >= u64::from(AT_A_TIME) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot tidy up"),
        }
        sleep(EVERY).await;
    }
}
