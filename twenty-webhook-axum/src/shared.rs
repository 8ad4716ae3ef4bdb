use std::sync::OnceLock;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use twenty_webhook_core::WebhookConfig;

/// State that all requests of one service share. axum clones a service for each request; the inner service is cloned only for verified ones.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    pub(crate) inner: S,
    pub(crate) config: WebhookConfig,
    /// The handlers that outlived their connections.
    pub(crate) detached: TaskTracker,
    /// The runtime that served the first request.
    pub(crate) runtime: OnceLock<Handle>,
}

impl<S> Shared<S> {
    /// The runtime for a handler whose connection is gone. A response future may be dropped outside the runtime that it ran in.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        Handle::try_current().ok().or_else(|| self.runtime.get().cloned())
    }
}
