use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, RwLock};
use twenty_webhook_core::WebhookEvent;

use crate::group_commit::GroupCommit;
use crate::longest::LONGEST;
use crate::{InboxError, NewJob, Store};

/// Stores deliveries on disk until a worker has handled them. Cheap to clone.
///
/// ```no_run
/// use twenty_webhook_inbox::{Inbox, WebhookEvent};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let inbox = Inbox::sqlite("inbox.db").await?;
/// inbox
///     .worker("crm-sync", |event: WebhookEvent| async move {
///         println!("{}", event.name());
///         Ok::<_, std::io::Error>(())
///     })
///     .run_until(tokio::signal::ctrl_c())
///     .await;
/// # Ok(()) }
/// ```
///
/// Open it in a tokio runtime with time enabled. It works as long as that runtime. Two applications that must not share their events need
/// two inboxes: two files, or two schemas.
#[derive(Clone, Debug)]
pub struct Inbox<S> {
    pub(crate) store: S,
    group_commit: GroupCommit,
    pub(crate) deadline: Duration,
    pub(crate) retention: Duration,
    pub(crate) dead_retention: Option<Duration>,
    pub(crate) wake: Arc<Notify>,
    /// Every handler holds it shared; one that crashed its process twice holds it alone.
    pub(crate) alone: Arc<RwLock<()>>,
}

impl<S: Store> Inbox<S> {
    /// An inbox on this store.
    ///
    /// # Panics
    /// If it is called outside a tokio runtime.
    pub fn on(store: S) -> Self {
        let (deadline, wake) = (Duration::from_secs(3), Arc::default());
        let group_commit = GroupCommit::spawn(store.clone(), deadline, Arc::clone(&wake));
        let retention = Duration::from_hours(7 * 24);
        Self { store, group_commit, deadline, retention, dead_retention: None, wake, alone: Arc::default() }
    }

    /// Its store.
    pub fn database(&self) -> &S {
        &self.store
    }

    /// Sets how long [`store`](Self::store) may take before it returns an error. The default is 3 seconds, because Twenty gives up after 5
    /// (read in its source).
    ///
    /// A commit that fails is repeated for half of this time. Then each of its deliveries is tried once alone, for its part of the
    /// time that is left. An attempt that hangs is given up after two thirds of this time.
    ///
    /// # Panics
    /// If it is called outside a tokio runtime.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(LONGEST);
        self.group_commit = GroupCommit::spawn(self.store.clone(), self.deadline, Arc::clone(&self.wake));
        self
    }

    /// Sets how long a handled job is kept. Meanwhile a duplicate of it adds no job, and it can be [rerun](Self::rerun). The default is 7
    /// days, the minimum is an hour. It must be longer than the verifier's [tolerance](twenty_webhook_core::Verifier::tolerance), or a
    /// replay would be handled again.
    ///
    /// Workers delete older ones. Dead letters stay, unless they have a [retention](Self::dead_retention) too.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention.max(Duration::from_hours(1));
        self
    }

    /// Sets how long dead letters are kept after their last attempt. By default they stay. The minimum is an hour.
    #[must_use]
    pub fn dead_retention(mut self, retention: Duration) -> Self {
        self.dead_retention = Some(retention.max(Duration::from_hours(1)));
        self
    }

    /// Stores a verified event. When this returns `Ok` the event is on disk and will be handled at least once: answer 202. It is `Ok`,
    /// too, if the same delivery was stored before. When it returns an error, answer 503.
    ///
    /// `receiver` does both on axum. Elsewhere:
    ///
    /// ```
    /// # use twenty_webhook_inbox::{Inbox, Store, WebhookEvent};
    /// async fn receive(inbox: &Inbox<impl Store>, event: WebhookEvent) -> http::StatusCode {
    ///     match inbox.store(&event).await {
    ///         Ok(()) => http::StatusCode::ACCEPTED,
    ///         Err(error) => {
    ///             tracing::error!(%error, "not stored");
    ///             http::StatusCode::SERVICE_UNAVAILABLE
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// Switch off the replay guard of what verifies (`WebhookConfig::new(secret).without_replay_guard()` on actix-web): the store knows
    /// duplicates, also those from before a restart.
    ///
    /// # Errors
    /// [`InboxError::Unverified`] if the event was not [verified](WebhookEvent::delivery); any other if it is not known to be on disk
    /// within the [deadline](Self::deadline).
    pub async fn store(&self, event: &WebhookEvent) -> Result<(), InboxError> {
        #[cfg(feature = "metrics")]
        let _timer = crate::metrics::StoreTimer::start();
        let stored = self.group_commit.store(NewJob::new(event)?);
        let stored = tokio::time::timeout(self.deadline, stored).await;
        stored.unwrap_or(Err(InboxError::Deadline(self.deadline)))
    }
}
