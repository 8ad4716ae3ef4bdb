use std::sync::OnceLock;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use twenty_webhook_core::WebhookConfig;

/// What all requests of one service share. axum clones a service for each request; the inner service is cloned for what was verified only.
#[derive(Debug)]
pub(crate) struct Shared<S> {
    pub(crate) inner: S,
    pub(crate) config: WebhookConfig,
    /// The handlers that have outlived their connections.
    pub(crate) detached: TaskTracker,
    /// The runtime that the first request was served in.
    pub(crate) runtime: OnceLock<Handle>,
}

impl<S> Shared<S> {
    /// Where a handler goes on whose connection is gone. It may be dropped outside of the runtime that it ran in.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        Handle::try_current().ok().or_else(|| self.runtime.get().cloned())
    }
}
