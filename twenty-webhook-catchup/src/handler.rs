use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use twenty_webhook_core::WebhookEvent;

/// The error of a handler.
pub(crate) type HandlerFailure = Arc<dyn Error + Send + Sync>;

/// The handler of [`CatchUp::handle_with`](crate::CatchUp::handle_with), type-erased.
#[derive(Clone)]
pub(crate) struct Handler(Arc<dyn Fn(WebhookEvent) -> BoxFuture<'static, Result<(), HandlerFailure>> + Send + Sync>);

impl Handler {
    pub(crate) fn new<F, E>(handler: impl Fn(WebhookEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Arc::new(move |event| handler(event).map(|done| done.map_err(|error| error.into().into())).boxed()))
    }

    pub(crate) async fn handle(&self, event: WebhookEvent) -> Result<(), HandlerFailure> {
        (self.0)(event).await
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}
