use std::ops::Bound;

use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::filter::Filter;
use super::order::Order;
use super::page::{Page, cursor, parse_cursor};
use super::{Failure, Query, json, object};
use crate::fake::Role;
use crate::fake::change::ChangeError;
use crate::fake::data::Table;
use crate::fake::state::{Shared, State};
use crate::sample::Fields;

/// The most fields of a record that are sent.
const MOST_FIELDS: usize = 200;
const FIELDS_CAPPED: HeaderName = HeaderName::from_static("x-twenty-fields-capped");

pub(super) fn list(shared: &Shared, role: &Role, plural: &str, query: &Query) -> Result<Response, Failure> {
    let mut state = shared.state();
    let table = table(&state, role, plural)?;
    let filter = query.get("filter").map(Filter::parse).transpose()?;
    let order = Order::parse(query.get("order_by").unwrap_or_default())?;
    let named = filter.iter().flat_map(Filter::fields).chain(order.fields());
    known(table, named)?;
    depth(query)?;
    let with_deleted = filter.iter().flat_map(Filter::fields).any(|field| field == "deletedAt");
    let fits = |record: &&Fields| {
        let id = record.text("id").unwrap_or_default();
        (with_deleted || record.get("deletedAt").is_none_or(Value::is_null))
            && is_visible(table, role, id)
            && filter.as_ref().is_none_or(|filter| filter.matches(record))
    };
    let (limit, sent) = (query.limit()?, query.get("starting_after").filter(|cursor| !cursor.is_empty()));
    let after = sent.map(parse_cursor).transpose()?;
    let total = table.rows.values().filter(fits).count();

    let mut records: Vec<&Fields> = if order.is_by_id() {
        // One more than a page, to see whether there is a next page.
        let from = after.as_ref().and_then(|key| key.first()?.as_str()).map_or(Bound::Unbounded, Bound::Excluded);
        let range = table.rows.range::<str, _>((from, Bound::Unbounded)).map(|(_, record)| record);
        range.filter(fits).take(limit + 1).collect()
    } else {
        let mut keyed: Vec<_> = table.rows.values().filter(fits).map(|record| (order.key_of(record), record)).collect();
        keyed.sort_by(|(left, _), (right, _)| order.compare(left, right));
        let later = |key: &[Value]| after.as_ref().is_none_or(|after| order.compare(key, after).is_gt());
        keyed.into_iter().filter(|(key, _)| later(key)).map(|(_, record)| record).take(limit + 1).collect()
    };
    let has_next = records.len() > limit;
    records.truncate(limit);
    let cursor_of = |record: Option<&&Fields>| record.map(|record| cursor(&order.key_of(record)));
    let (start, end) = (cursor_of(records.first()), cursor_of(records.last()));
    let items = records.into_iter().map(|record| record_json(shared, table, record)).collect();
    let page = Page { items, has_next, start, end, total };
    let mut response = json(StatusCode::OK, &page.to_json(plural, sent, &state.faults));
    if table.fields().count() > MOST_FIELDS {
        response.headers_mut().insert(FIELDS_CAPPED, HeaderValue::from_static("true"));
    }
    if state.faults.repeat_cursor && sent.is_some() {
        state.repeated_cursors += 1;
    }
    Ok(response)
}

pub(super) fn one(
    shared: &Shared,
    role: &Role,
    method: &Method,
    plural: &str,
    id: &str,
    query: &Query,
    body: &[u8],
) -> Result<Response, Failure> {
    let singular = {
        let state = shared.state();
        let table = table(&state, role, plural)?;
        depth(query)?;
        let record = table.rows.get(id).filter(|_| is_visible(table, role, id)).ok_or_else(Failure::not_found)?;
        if method == Method::GET {
            if record.get("deletedAt").is_some_and(|date| !date.is_null()) {
                return Err(Failure::not_found());
            }
            return Ok(named(StatusCode::OK, &table.object.singular, &record_json(shared, table, record)));
        }
        table.object.singular.clone()
    };
    let ids = [id.to_owned()];
    let operation = match *method {
        Method::PATCH => {
            let fields = object(body)?;
            known(table(&shared.state(), role, plural)?, fields.keys().map(String::as_str))?;
            shared.update(&singular, &ids, &fields).map_err(|error| rejected(&error))?;
            "update"
        }
        Method::DELETE if query.get("soft_delete") == Some("true") => {
            shared.delete(&singular, &ids).map_err(|error| rejected(&error))?;
            "delete"
        }
        Method::DELETE => {
            shared.destroy(&singular, &ids).map_err(|error| rejected(&error))?;
            "delete"
        }
        _ => return Err(Failure::new(StatusCode::NOT_FOUND, format!("Cannot {method} /rest/{plural}/{id}"))),
    };
    Ok(changed(shared, operation, &singular, id, StatusCode::OK))
}

pub(super) fn create(shared: &Shared, role: &Role, plural: &str, body: &[u8]) -> Result<Response, Failure> {
    let singular = writable(shared, role, plural)?;
    let fields = object(body)?;
    let ids = create_checked(shared, role, plural, &singular, vec![fields])?;
    Ok(changed(shared, "create", &singular, &ids[0], StatusCode::CREATED))
}

pub(super) fn create_many(shared: &Shared, role: &Role, plural: &str, body: &[u8]) -> Result<Response, Failure> {
    let singular = writable(shared, role, plural)?;
    let records: Vec<Map<String, Value>> = serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(format!("the body is not a list of JSON objects: {error}")))?;
    let ids = create_checked(shared, role, plural, &singular, records)?;
    let state = shared.state();
    let table = table(&state, role, plural)?;
    let records =
        ids.iter().filter_map(|id| table.rows.get(id)).map(|record| record_json(shared, table, record)).collect();
    Ok(named(StatusCode::CREATED, &operation_name("create", plural), &Value::Array(records)))
}

pub(super) fn restore(shared: &Shared, role: &Role, plural: &str, id: &str) -> Result<Response, Failure> {
    let singular = writable(shared, role, plural)?;
    shared.restore(&singular, &[id.to_owned()]).map_err(|error| rejected(&error))?;
    Ok(changed(shared, "restore", &singular, id, StatusCode::OK))
}

fn create_checked(
    shared: &Shared,
    role: &Role,
    plural: &str,
    singular: &str,
    records: Vec<Map<String, Value>>,
) -> Result<Vec<String>, Failure> {
    let names = records.iter().flat_map(Map::keys).map(String::as_str);
    known(table(&shared.state(), role, plural)?, names)?;
    if records.is_empty() {
        return Err(Failure::bad_request("there is nothing to create"));
    }
    shared.create(singular, records).map_err(|error| rejected(&error))
}

/// The singular name of an object that the key may write.
fn writable(shared: &Shared, role: &Role, plural: &str) -> Result<String, Failure> {
    Ok(table(&shared.state(), role, plural)?.object.singular.clone())
}

fn table<'a>(state: &'a State, role: &Role, plural: &str) -> Result<&'a Table, Failure> {
    let unknown = || Failure::bad_request(format!("object '{plural}' not found"));
    let table = state.data.of_plural(plural).ok_or_else(unknown)?;
    let singular = &table.object.singular;
    if role.is_hidden(singular) {
        return Err(Failure::new(StatusCode::NOT_FOUND, format!("object '{plural}' not found")));
    }
    if role.is_forbidden(singular) {
        return Err(Failure::new(StatusCode::FORBIDDEN, "Entity performing the request does not have permission"));
    }
    Ok(table)
}

fn known<'a>(table: &Table, mut fields: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    match fields.find(|field| !table.has_field(field)) {
        Some(field) => {
            let object = &table.object.singular;
            Err(Failure::bad_request(format!("field '{field}' does not exist in '{object}' object")))
        }
        None => Ok(()),
    }
}

fn depth(query: &Query) -> Result<(), Failure> {
    match query.get("depth") {
        None | Some("0" | "1") => Ok(()),
        Some(depth) => Err(Failure::bad_request(format!("'depth={depth}' parameter invalid. Allowed values are 0, 1"))),
    }
}

fn is_visible(table: &Table, role: &Role, id: &str) -> bool {
    role.sees(id) && !table.private.contains(id)
}

/// A record as this version sends it.
fn record_json(shared: &Shared, table: &Table, record: &Fields) -> Value {
    let mut record = record.clone();
    shared.version.shape(&table.object.singular, &mut record);
    if table.fields().count() > MOST_FIELDS {
        let names: Vec<_> = record.names().take(MOST_FIELDS).map(str::to_owned).collect();
        record.retain(&names.iter().map(String::as_str).collect::<Vec<_>>());
    }
    serde_json::to_value(record).unwrap_or_default()
}

/// `{"data": {"updatePerson": {…}}}`. A destroyed record has only its id.
fn changed(shared: &Shared, operation: &str, singular: &str, id: &str, status: StatusCode) -> Response {
    let state = shared.state();
    let table = state.data.table(singular);
    let record = table.and_then(|table| Some(record_json(shared, table, table.rows.get(id)?)));
    named(status, &operation_name(operation, singular), &record.unwrap_or_else(|| serde_json::json!({ "id": id })))
}

/// `updatePerson`.
fn operation_name(operation: &str, object: &str) -> String {
    let (first, rest) = object.split_at(object.chars().next().map_or(0, char::len_utf8));
    format!("{operation}{}{rest}", first.to_uppercase())
}

fn named(status: StatusCode, name: &str, value: &Value) -> Response {
    json(status, &serde_json::json!({ "data": { name: value } }))
}

fn rejected(error: &ChangeError) -> Failure {
    match error {
        ChangeError::NoRecord { .. } => Failure::not_found(),
        ChangeError::NoObject(_) | ChangeError::Exists { .. } => Failure::bad_request(error.to_string()),
    }
}
