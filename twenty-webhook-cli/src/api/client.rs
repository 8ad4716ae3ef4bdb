use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use http::header::{ACCEPT, AUTHORIZATION, DATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;
use serde_json::{Value, json};

use super::ApiError;
use super::webhook::{self, NewWebhook, Webhook};
use crate::send::{NoAnswer, new_client};
use crate::terminal;

/// The timeout of a request.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 8 << 20;

/// A client of one workspace's API.
pub(crate) struct Api {
    client: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
}

/// Without the key.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What the API answered.
pub(crate) struct Answer {
    pub(crate) body: Value,
    /// The server's clock.
    pub(crate) date: Option<SystemTime>,
}

impl Api {
    pub(crate) fn new(base: &Url, key: &str) -> anyhow::Result<Self> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {key}")).ok().context("the API key contains invalid characters")?;
        authorization.set_sensitive(true);
        // A redirect could send the key to another host.
        let client = new_client(base, DEADLINE, reqwest::redirect::Policy::none())?;
        let mut base = base.clone();
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self { client, base, authorization })
    }

    /// The address of Twenty.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, ApiError> {
        webhook::list(&self.webhooks_answer().await?.body)
    }

    /// The list as it was answered, with the server's clock.
    pub(crate) async fn webhooks_answer(&self) -> Result<Answer, ApiError> {
        match self.call(Method::GET, "rest/metadata/webhooks", None).await {
            Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                self.call(Method::GET, "rest/webhooks", None).await
            }
            answer => answer,
        }
    }

    pub(crate) async fn create_webhook(&self, new: &NewWebhook<'_>) -> Result<Webhook, ApiError> {
        let body = json!({
            "targetUrl": new.target_url,
            "operations": new.operations,
            "description": new.description,
            "secret": new.secret,
        });
        let answer = match self.call(Method::POST, "rest/metadata/webhooks", Some(&body)).await {
            Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                self.call(Method::POST, "rest/webhooks", Some(&body)).await?
            }
            answer => answer?,
        };
        webhook::one(&answer.body)
    }

    pub(crate) async fn delete_webhook(&self, id: &str) -> Result<(), ApiError> {
        let id = path_segment(id);
        match self.call(Method::DELETE, &format!("rest/metadata/webhooks/{id}"), None).await {
            // The newer path may be unknown to an old version, and the webhook unknown to both.
            Err(ApiError::Status { status: StatusCode::NOT_FOUND, .. }) => {
                self.call(Method::DELETE, &format!("rest/webhooks/{id}"), None).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    /// Creates a note with this id. Returns the id that Twenty answers.
    pub(crate) async fn create_note(&self, id: &str, title: &str) -> Result<String, ApiError> {
        let answer = self.call(Method::POST, "rest/notes", Some(&json!({ "id": id, "title": title }))).await?;
        let data = answer.body.get("data").and_then(Value::as_object);
        let id = data.and_then(|data| data.values().find_map(|record| record["id"].as_str()));
        id.map(str::to_owned).ok_or(ApiError::NotTheApi)
    }

    /// Destroys a note.
    pub(crate) async fn destroy_note(&self, id: &str) -> Result<(), ApiError> {
        self.call(Method::DELETE, &format!("rest/notes/{}", path_segment(id)), None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let mut request = self.client.request(method, url).header(AUTHORIZATION, self.authorization.clone());
        request = request.header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let (status, date) = (response.status(), date(response.headers()));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(ApiError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        if !status.is_success() {
            return Err(ApiError::Status { status, message: body.as_ref().map(message).unwrap_or_default() });
        }
        Ok(Answer { body: body.ok_or(ApiError::NotTheApi)?, date })
    }

    fn failed(&self, error: &reqwest::Error) -> ApiError {
        let unreachable = |cause| ApiError::Unreachable { host: self.base.origin().ascii_serialization(), cause };
        match NoAnswer::of(error) {
            NoAnswer::NoConnection => unreachable("no connection was opened in time".to_owned()),
            NoAnswer::Unreachable(cause) => unreachable(cause),
            NoAnswer::TimedOut => ApiError::TimedOut,
            NoAnswer::BrokenOff(cause) => ApiError::BrokenOff { cause },
        }
    }
}

/// An id from a command line stays one part of the path.
fn path_segment(id: &str) -> String {
    id.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')).collect()
}

/// Twenty's message for an error.
fn message(body: &Value) -> String {
    let text = match &body["messages"] {
        Value::Array(messages) => messages.first().and_then(Value::as_str),
        _ => body["message"].as_str(),
    };
    terminal::plain(text.unwrap_or_default(), 200)
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let time = twenty_webhook_axum::core::jiff::fmt::rfc2822::parse(text).ok()?;
    Some(SystemTime::from(time.timestamp()))
}
