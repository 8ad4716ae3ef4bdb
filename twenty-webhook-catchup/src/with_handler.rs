use std::error::Error;
use std::time::Duration;

use twenty_webhook_core::WebhookEvent;
use twenty_webhook_inbox::{CatchUpCommit, CatchUpScope, CatchUpStore, Census, InboxError, Known, Missing};

/// A store of your own, and a handler in place of an inbox's worker: each event is handled before the page that it came with is saved. If
/// the handler fails, the run stops there, and the next one begins with that page: so it may be called again for the same event.
///
/// A handler that writes to the same database needs none of this: implement [`CatchUpStore::commit`] so that it writes the events, too.
#[derive(Clone, Debug)]
pub struct WithHandler<S, H> {
    store: S,
    handler: H,
}

impl<S, H> WithHandler<S, H> {
    /// This handler, and what remembers which states it has handled.
    pub fn new(store: S, handler: H) -> Self {
        Self { store, handler }
    }
}

impl<S, H, F, E> CatchUpStore for WithHandler<S, H>
where
    S: CatchUpStore,
    H: Fn(WebhookEvent) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn Error + Send + Sync>> + Send,
{
    async fn scopes(&self) -> Result<Vec<CatchUpScope>, InboxError> {
        self.store.scopes().await
    }

    async fn adopt(&self, scope: &CatchUpScope) -> Result<(), InboxError> {
        self.store.adopt(scope).await
    }

    async fn lease(&self, scope: &str, token: i64, lease: Duration) -> Result<bool, InboxError> {
        self.store.lease(scope, token, lease).await
    }

    async fn progress(&self, scope: &str, name: &str) -> Result<Option<String>, InboxError> {
        self.store.progress(scope, name).await
    }

    async fn known(&self, scope: &str, object: &str, ids: &[String]) -> Result<Vec<Known>, InboxError> {
        self.store.known(scope, object, ids).await
    }

    async fn commit(&self, commit: CatchUpCommit) -> Result<u64, InboxError> {
        for event in &commit.events {
            (self.handler)(event.clone()).await.map_err(|error| InboxError::database(error))?;
        }
        self.store.commit(commit).await
    }

    async fn learn(&self, scope: &str, object: &str) -> Result<(), InboxError> {
        self.store.learn(scope, object).await
    }

    async fn census(&self, scope: &str, object: &str, pass: i64, key_tag: &str) -> Result<Census, InboxError> {
        self.store.census(scope, object, pass, key_tag).await
    }

    async fn missing(
        &self,
        scope: &str,
        object: &str,
        pass: i64,
        key_tag: Option<&str>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Missing>, InboxError> {
        self.store.missing(scope, object, pass, key_tag, after, limit).await
    }

    async fn deliveries_within(&self, scope: &str, time: Duration) -> Result<u64, InboxError> {
        self.store.deliveries_within(scope, time).await
    }

    fn refused(&self) -> u64 {
        self.store.refused()
    }
}
