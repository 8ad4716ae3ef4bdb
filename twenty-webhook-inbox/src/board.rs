use apalis_board::axum::framework::{ApiBuilder, RegisterRoute};
use apalis_board::axum::sse::TracingBroadcaster;
use apalis_board::axum::ui::ServeUI;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::QUEUE;

/// apalis-board over these storages: the pages of a browser, to look at and not to touch.
fn pages<B>(storage: B) -> Router
where
    ApiBuilder<Router>: RegisterRoute<B, Shown>,
{
    let api = ApiBuilder::new(Router::new()).register(QUEUE, storage).build();
    // Its stream of logs. Nothing is sent into it; without it the page says that the system is unhealthy.
    let api = api.layer(Extension(TracingBroadcaster::create()));
    Router::new().nest("/api/v1", api).fallback_service(ServeUI::new()).layer(from_fn(only_look))
}

/// The board's own API takes new jobs too: events that nobody signed.
async fn only_look(request: Request, next: Next) -> Response {
    match *request.method() {
        Method::GET | Method::HEAD => next.run(request).await,
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

/// What the board shows of a body: JSON, or text where it has what the browser's parser refuses, as a lone surrogate.
struct Shown(Value);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().into())))
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(feature = "sqlite")]
impl crate::Inbox<crate::SqliteStore> {
    /// A web page that shows the jobs, their payloads and the workers: [apalis-board](https://docs.rs/apalis-board).
    ///
    /// *It shows customers' data to whoever reaches it.* It has no login of its own: bind it to a local address, or put one in front. It
    /// takes nothing but `GET`. It must be served at the root of an address of its own, because its pages refer to each other from `/`.
    ///
    /// ```no_run
    /// # async fn run(inbox: twenty_webhook_inbox::Inbox<twenty_webhook_inbox::SqliteStore>) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    /// axum::serve(listener, inbox.board()).await
    /// # }
    /// ```
    pub fn board(&self) -> Router {
        let config = apalis_sqlite::Config::default().queue(QUEUE);
        pages(apalis_sqlite::SqliteStorage::<Shown>::new(&self.store.reader()).with_config(config))
    }
}

#[cfg(feature = "postgres")]
impl crate::Inbox<crate::PostgresStore> {
    /// As on SQLite: see there.
    ///
    /// *It shows customers' data to whoever reaches it.* It has no login of its own: bind it to a local address, or put one in front.
    pub fn board(&self) -> Router {
        let config = apalis_postgres::Config::default().queue(QUEUE);
        pages(apalis_postgres::PostgresStorage::<Shown>::new(&self.store.reader()).with_config(config))
    }
}
