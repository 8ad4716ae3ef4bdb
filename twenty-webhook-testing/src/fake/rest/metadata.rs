use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::page::{Page, cursor, parse_cursor};
use super::{Failure, Query};
use crate::fake::Role;
use crate::fake::data::Table;
use crate::fake::state::Shared;
use crate::sample::object_metadata_id;

/// The objects of the data model that the key's role may see.
pub(super) fn objects(shared: &Shared, role: &Role, query: &Query) -> Result<Response, Failure> {
    let state = shared.state();
    let (limit, sent) = (query.limit()?, query.get("starting_after").filter(|cursor| !cursor.is_empty()));
    let after = sent.map(parse_cursor).transpose()?;
    let after = after.as_ref().and_then(|key| key.first()?.as_str());
    let visible: Vec<_> = state.data.tables().filter(|table| !role.is_hidden(&table.object.singular)).collect();
    let total = visible.len();
    let rest = visible.into_iter().filter(|table| after.is_none_or(|after| table.object.singular.as_str() > after));
    let mut rest: Vec<_> = rest.take(limit + 1).collect();
    let has_next = rest.len() > limit;
    rest.truncate(limit);
    let cursor_of = |table: Option<&&Table>| table.map(|table| cursor(&[table.object.singular.as_str().into()]));
    let (start, end) = (cursor_of(rest.first()), cursor_of(rest.last()));
    let page = Page { items: rest.into_iter().map(to_json).collect(), has_next, start, end, total };
    Ok(super::json(StatusCode::OK, &page.to_json("objects", sent, &state.faults)))
}

fn to_json(table: &Table) -> Value {
    let object = &table.object;
    let field = |(name, kind): (&str, &str)| json!({ "node": { "name": name, "type": kind, "isActive": true, "isNullable": name != "id" } });
    json!({
        "id": object_metadata_id(&object.singular),
        "nameSingular": object.singular,
        "namePlural": object.plural,
        "labelSingular": object.singular,
        "labelPlural": object.plural,
        "isCustom": object.is_custom,
        "isActive": true,
        "isSystem": false,
        "fields": { "edges": table.fields().map(field).collect::<Vec<_>>() },
    })
}
