use reqwest::Url;
use serde_json::{Value, json};

use super::ApiError;

/// A webhook in Twenty's settings.
pub(crate) struct Webhook {
    pub(crate) id: String,
    pub(crate) target_url: String,
    pub(crate) operations: Vec<String>,
    pub(crate) description: Option<String>,
    /// `None` if the API does not show it; empty if there is none.
    pub(crate) secret: Option<String>,
}

/// A webhook to create.
pub(crate) struct NewWebhook<'a> {
    pub(crate) target_url: &'a str,
    pub(crate) operations: &'a [String],
    pub(crate) description: &'a str,
    pub(crate) secret: &'a str,
}

impl Webhook {
    /// Without the secret.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "target_url": self.target_url,
            "operations": self.operations,
            "description": self.description,
        })
    }

    /// Compares URLs, not text: `https://h` is `https://h/`.
    pub(crate) fn has_target(&self, url: &Url) -> bool {
        Url::parse(&self.target_url).is_ok_and(|target| target == *url)
    }

    fn read(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let operations = value["operations"].as_array().map(|list| list.iter().filter_map(Value::as_str));
        Some(Self {
            id: text("id")?,
            target_url: text("targetUrl")?,
            operations: operations.into_iter().flatten().map(str::to_owned).collect(),
            description: text("description").filter(|text| !text.is_empty()),
            secret: text("secret"),
        })
    }
}

/// A list: bare, or in `data`, or in a member of `data`.
pub(crate) fn list(body: &Value) -> Result<Vec<Webhook>, ApiError> {
    let data = body.get("data").unwrap_or(body);
    let list = data.as_array().or_else(|| data.get("webhooks")?.as_array()).ok_or(ApiError::NotTheApi)?;
    list.iter().map(|value| Webhook::read(value).ok_or(ApiError::NotTheApi)).collect()
}

/// One: bare, or in `data`, or in a member of `data`.
pub(super) fn one(body: &Value) -> Result<Webhook, ApiError> {
    let data = body.get("data").unwrap_or(body);
    let inner = data.as_object().into_iter().flat_map(|members| members.values());
    Webhook::read(data).or_else(|| inner.into_iter().find_map(Webhook::read)).ok_or(ApiError::NotTheApi)
}
