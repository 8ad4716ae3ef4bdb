use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use twenty_webhook_core::WebhookEvent;

use crate::writer::Writer;
use crate::{InboxError, NewJob, Store, Worker};

/// Keeps deliveries on disk until a worker has handled them. Cheap to clone.
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
/// It must be opened in a tokio runtime with time enabled, and lives as long as that runtime. One database is one inbox: two
/// applications that must not share their events need two.
#[derive(Clone, Debug)]
pub struct Inbox<S> {
    pub(crate) store: S,
    writer: Writer,
    deadline: Duration,
    pub(crate) retention: Duration,
    pub(crate) wake: Arc<Notify>,
}

impl<S: Store> Inbox<S> {
    /// An inbox on this database.
    pub fn on(store: S) -> Self {
        let (deadline, wake) = (Duration::from_secs(3), Arc::default());
        let writer = Writer::spawn(store.clone(), deadline, Arc::clone(&wake));
        Self { store, writer, deadline, retention: Duration::from_hours(168), wake }
    }

    /// Sets how long a delivery may take to be stored before its caller is told that it is not. Twenty gives up after 5 seconds, so the
    /// default is 3.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self.writer = Writer::spawn(self.store.clone(), deadline, Arc::clone(&self.wake));
        self
    }

    /// Sets how long a handled job is kept: for so long a duplicate of it is known, and not handled again. The default is 7 days, and
    /// what is less than an hour is taken for an hour: it must outlast the tolerance of signatures, or a replay would get through.
    ///
    /// Workers delete what is older. Dead letters stay until somebody looks at them.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention.max(Duration::from_hours(1));
        self
    }

    /// Stores a verified event. When this returns `Ok` the event is on disk and will be handled at least once: answer 202. It is `Ok`,
    /// too, if the same delivery was stored before. When it returns an error, answer 503.
    ///
    /// [`receiver`](Self::receiver) does both on axum. Elsewhere:
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
    /// Switch off the replay guard of what verifies (`WebhookConfig::new(secret).without_replay_guard()` on actix-web): its extractor
    /// completes a delivery before this is called, so one that could not be stored would be answered 200 when it comes again.
    ///
    /// # Errors
    /// If it is not known to be on disk within the [deadline](Self::deadline), or was not [verified](WebhookEvent::delivery).
    pub async fn store(&self, event: &WebhookEvent) -> Result<(), InboxError> {
        let stored = self.writer.store(NewJob::new(event)?);
        tokio::time::timeout(self.deadline, stored).await.unwrap_or(Err(InboxError::Deadline(self.deadline)))
    }

    /// A worker that calls `handler` for each stored event, until it returns `Ok`. See [`Worker`] for what it does when it does not.
    ///
    /// `name` is for logs and the board: any number of workers, in any number of processes, share the work, whatever their names.
    pub fn worker<H, F, E>(&self, name: impl Into<String>, handler: H) -> Worker<S>
    where
        H: Fn(WebhookEvent) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        Worker::new(self.clone(), name.into(), handler)
    }
}
