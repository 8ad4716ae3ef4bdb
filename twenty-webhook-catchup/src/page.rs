use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::CatchUpError;
use crate::dates;

/// A page of a list.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<String>,
    pub(crate) total: Option<u64>,
}

/// A record with the fields that catch-up reads. Dates are in Unix milliseconds.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) updated_at: i64,
    pub(crate) created_at: Option<i64>,
    pub(crate) is_deleted: bool,
    pub(crate) json: Box<RawValue>,
}

impl Row {
    /// When it was last written. An import may give `updatedAt` an old date.
    pub(crate) fn changed_at(&self) -> i64 {
        self.created_at.map_or(self.updated_at, |created_at| created_at.max(self.updated_at))
    }
}

#[derive(Deserialize)]
struct List {
    data: HashMap<String, Box<RawValue>>,
    #[serde(rename = "pageInfo")]
    page_info: Option<PageInfo>,
    #[serde(rename = "totalCount")]
    total_count: Option<u64>,
}

#[derive(Deserialize)]
struct PageInfo {
    #[serde(rename = "hasNextPage")]
    has_next_page: bool,
    #[serde(rename = "endCursor")]
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "updatedAt")]
    updated_at: Option<String>,
    #[serde(rename = "createdAt")]
    created_at: Option<String>,
    #[serde(rename = "deletedAt")]
    deleted_at: Option<String>,
}

impl Page {
    /// Reads the list called `plural`. A page that does not say whether it is the last one is an error.
    pub(crate) fn read(body: &[u8], plural: &str) -> Result<Self, CatchUpError> {
        let (items, next, total) = read_list(body, plural)?;
        let rows = items.into_iter().map(Row::read).collect::<Result<_, _>>()?;
        Ok(Self { rows, next, total })
    }
}

/// The items of a list, the next cursor, and how many there are in all.
pub(crate) type Items = (Vec<Box<RawValue>>, Option<String>, Option<u64>);

pub(crate) fn read_list(body: &[u8], name: &str) -> Result<Items, CatchUpError> {
    let invalid = |what: &str| CatchUpError::InvalidResponse(what.to_owned());
    let list: List = serde_json::from_slice(body).map_err(|_| invalid("it is not a list"))?;
    let items = list.data.get(name).ok_or_else(|| invalid("it does not contain the list"))?;
    let items: Vec<Box<RawValue>> =
        serde_json::from_str(items.get()).map_err(|_| invalid("its list does not contain records"))?;
    // Some versions of Twenty send both inside `data`.
    let inside = |name: &str| list.data.get(name).map(|json| json.get());
    let page_info = match (list.page_info, inside("pageInfo")) {
        (Some(page_info), _) => page_info,
        (None, Some(json)) => serde_json::from_str(json).map_err(|_| invalid("its `pageInfo` is malformed"))?,
        (None, None) => return Err(invalid("it has no `pageInfo`")),
    };
    let total = list.total_count.or_else(|| serde_json::from_str(inside("totalCount")?).ok());
    let next = match (page_info.has_next_page, page_info.end_cursor) {
        (false, _) => None,
        (true, Some(cursor)) if !cursor.is_empty() && !items.is_empty() => Some(cursor),
        (true, _) => return Err(invalid("it announces another page without a cursor")),
    };
    Ok((items, next, total))
}

impl Row {
    fn read(json: Box<RawValue>) -> Result<Self, CatchUpError> {
        let invalid = |what: &str| CatchUpError::InvalidResponse(what.to_owned());
        let head: Head =
            serde_json::from_str(json.get()).map_err(|_| invalid("a record has no id, or malformed dates"))?;
        if !is_id(&head.id) {
            return Err(invalid("a record's id is malformed"));
        }
        let updated_at = head.updated_at.as_deref().and_then(dates::millis);
        let updated_at = updated_at.ok_or_else(|| invalid("a record has no date `updatedAt`"))?;
        let created_at = head.created_at.as_deref().and_then(dates::millis);
        Ok(Self { id: head.id, updated_at, created_at, is_deleted: head.deleted_at.is_some(), json })
    }
}

/// Ids are UUIDs. Other characters could change the filter that contains the id.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"id":"1","updatedAt":"2026-09-14T09:02:12.004Z","note":"\ud83d","createdAt":null}"#;

    fn read(text: &str) -> Result<Page, CatchUpError> {
        Page::read(text.as_bytes(), "people")
    }

    #[test]
    fn page_info_is_found_at_both_places() {
        let outside = format!(
            r#"{{"data":{{"people":[{RECORD}]}},"pageInfo":{{"hasNextPage":true,"endCursor":"c"}},"totalCount":7}}"#
        );
        let inside = format!(
            r#"{{"data":{{"people":[{RECORD}],"pageInfo":{{"hasNextPage":true,"endCursor":"c"}},"totalCount":7}}}}"#
        );
        for text in [outside, inside] {
            let page = read(&text).unwrap();
            assert_eq!((page.rows.len(), page.next.as_deref(), page.total), (1, Some("c"), Some(7)));
            assert_eq!((page.rows[0].updated_at, page.rows[0].json.get()), (1_789_376_532_004, RECORD));
        }
    }

    #[test]
    fn a_list_without_a_valid_end_is_an_error() {
        for text in [
            "{}",
            r#"{"data":[]}"#,
            r#"{"data":{"people":[]}}"#,
            r#"{"data":{"people":[]},"pageInfo":{}}"#,
            r#"{"data":{"people":[]},"pageInfo":{"hasNextPage":null}}"#,
            r#"{"data":{"people":[]},"pageInfo":{"hasNextPage":true,"endCursor":"c"}}"#,
            r#"{"data":{"people":[{"id":"1","updatedAt":"2026-09-14T09:02:12.004Z"}]},"pageInfo":{"hasNextPage":true}}"#,
            r#"{"data":{"companies":[]},"pageInfo":{"hasNextPage":false}}"#,
            r#"{"data":{"people":{}},"pageInfo":{"hasNextPage":false}}"#,
            r#"{"data":{"people":[{"id":"1"}]},"pageInfo":{"hasNextPage":false}}"#,
            r#"{"data":{"people":[{"id":"\"),x","updatedAt":"2026-09-14T09:02:12.004Z"}]},"pageInfo":{"hasNextPage":false}}"#,
            r#"{"data":{"people":[{"id":7,"updatedAt":"2026-09-14T09:02:12.004Z"}]},"pageInfo":{"hasNextPage":false}}"#,
        ] {
            assert!(matches!(read(text), Err(CatchUpError::InvalidResponse(_))), "{text}");
        }
        assert!(read(r#"{"data":{"people":[]},"pageInfo":{"hasNextPage":false}}"#).unwrap().rows.is_empty());
    }
}
