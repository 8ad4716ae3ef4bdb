use axum::response::Response;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Failure, object};
use crate::fake::Role;
use crate::fake::state::Shared;
use crate::fake::webhooks::Webhook;

/// `/rest/metadata/webhooks`, or `/rest/webhooks`, where a list is a bare array.
pub(super) fn collection(
    shared: &Shared,
    role: &Role,
    method: &Method,
    body: &[u8],
    is_wrapped: bool,
) -> Result<Response, Failure> {
    permitted(role)?;
    match *method {
        Method::GET => {
            let state = shared.state();
            let list: Vec<_> = state.webhooks.iter().map(|webhook| webhook.to_json(&state.faults)).collect();
            let list = if is_wrapped { json!({ "data": { "webhooks": list } }) } else { list.into() };
            Ok(super::json(StatusCode::OK, &list))
        }
        Method::POST => {
            let fields = object(body)?;
            if !fields.contains_key("targetUrl") {
                return Err(Failure::bad_request("targetUrl should not be empty"));
            }
            let mut state = shared.state();
            let mut webhook = Webhook {
                id: state.random.uuid(),
                target_url: String::new(),
                operations: vec!["*.*".to_owned()],
                description: None,
                secret: if state.faults.no_generated_secret { String::new() } else { state.random.hex(32) },
                cached_secret: None,
            };
            set(&mut webhook, &fields)?;
            let created = webhook.to_json(&state.faults);
            state.webhooks.push(webhook);
            Ok(super::json(StatusCode::CREATED, &created))
        }
        _ => Err(Failure::new(StatusCode::NOT_FOUND, format!("Cannot {method} webhooks"))),
    }
}

/// One webhook.
pub(super) fn one(shared: &Shared, role: &Role, method: &Method, id: &str, body: &[u8]) -> Result<Response, Failure> {
    permitted(role)?;
    let mut state = shared.state();
    let state = &mut *state;
    let now = shared.now(&state.faults);
    let expires_at = now.saturating_add(state.faults.settings_cache);
    let not_found = || Failure::new(StatusCode::NOT_FOUND, "Webhook not found");
    let at = state.webhooks.iter().position(|webhook| webhook.id == id).ok_or_else(not_found)?;
    match *method {
        Method::GET => Ok(super::json(StatusCode::OK, &state.webhooks[at].to_json(&state.faults))),
        Method::PATCH | Method::PUT => {
            let fields = object(body)?;
            let webhook = &mut state.webhooks[at];
            let old_secret = webhook.secret_at(now).to_owned();
            set(webhook, &fields)?;
            if webhook.secret != old_secret {
                webhook.cached_secret = Some((old_secret, expires_at));
            }
            Ok(super::json(StatusCode::OK, &webhook.to_json(&state.faults)))
        }
        Method::DELETE => {
            let removed = state.webhooks.remove(at);
            Ok(super::json(StatusCode::OK, &removed.to_json(&state.faults)))
        }
        _ => Err(Failure::new(StatusCode::NOT_FOUND, format!("Cannot {method} webhooks/{id}"))),
    }
}

fn permitted(role: &Role) -> Result<(), Failure> {
    if role.may_see_webhooks() {
        return Ok(());
    }
    Err(Failure::new(StatusCode::FORBIDDEN, "Entity performing the request does not have permission"))
}

/// Sets all given fields, or none after an error.
fn set(webhook: &mut Webhook, fields: &Map<String, Value>) -> Result<(), Failure> {
    let mut changed = webhook.clone();
    for (name, value) in fields {
        let text = || value.as_str().map(str::to_owned);
        let invalid = || Failure::bad_request(format!("{name} is invalid"));
        match name.as_str() {
            "targetUrl" => changed.target_url = text().filter(|url| url.contains("://")).ok_or_else(invalid)?,
            "operations" => changed.operations = serde_json::from_value(value.clone()).map_err(|_| invalid())?,
            "description" => changed.description = text(),
            "secret" => changed.secret = text().ok_or_else(invalid)?,
            "id" => changed.id = text().ok_or_else(invalid)?,
            _ => return Err(Failure::bad_request(format!("property {name} should not exist"))),
        }
    }
    *webhook = changed;
    Ok(())
}
