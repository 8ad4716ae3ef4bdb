use std::cmp::Ordering;

use serde_json::Value;
use twenty_webhook_core::jiff::Timestamp;

use super::Failure;
use crate::sample::Fields;

/// A `filter` parameter: `and(updatedAt[gte]:"…",or(…))`. A bare list is an `and`.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Is { path: Vec<String>, operator: String, value: String },
}

const DEEPEST: usize = 32;

const OPERATORS: [&str; 13] =
    ["eq", "neq", "in", "containsAny", "is", "gt", "gte", "lt", "lte", "startsWith", "endsWith", "like", "ilike"];

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::list(text, 0).map(Self::And)
    }

    fn list(text: &str, depth: usize) -> Result<Vec<Self>, Failure> {
        if depth > DEEPEST {
            return Err(Failure::bad_request("the filter nests too deep"));
        }
        split(text)?.into_iter().map(|part| Self::part(part, depth)).collect()
    }

    fn part(text: &str, depth: usize) -> Result<Self, Failure> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(list) = inner("and") {
            return Self::list(list, depth + 1).map(Self::And);
        }
        if let Some(list) = inner("or") {
            return Self::list(list, depth + 1).map(Self::Or);
        }
        if let Some(list) = inner("not") {
            return Self::list(list, depth + 1).map(|list| Self::Not(Box::new(Self::And(list))));
        }
        let invalid = || Failure::bad_request(format!("'filter' invalid for '{text}'. eg: price[gte]:10"));
        let (field, rest) = text.split_once('[').ok_or_else(invalid)?;
        let (operator, value) = rest.split_once("]:").ok_or_else(invalid)?;
        if field.is_empty() || !OPERATORS.contains(&operator) {
            return Err(invalid());
        }
        let path = field.split('.').map(str::to_owned).collect();
        Ok(Self::Is { path, operator: operator.to_owned(), value: unquoted(value).to_owned() })
    }

    /// The fields in the filter.
    pub(super) fn fields(&self) -> Vec<&str> {
        match self {
            Self::And(list) | Self::Or(list) => list.iter().flat_map(Self::fields).collect(),
            Self::Not(filter) => filter.fields(),
            Self::Is { path, .. } => vec![path[0].as_str()],
        }
    }

    pub(super) fn matches(&self, record: &Fields) -> bool {
        self.holds(record) == Some(true)
    }

    /// SQL's three-valued logic: `None` is unknown.
    fn holds(&self, record: &Fields) -> Option<bool> {
        match self {
            Self::And(list) => every(list.iter().map(|filter| filter.holds(record))),
            Self::Or(list) => every(list.iter().map(|filter| filter.holds(record).map(|held| !held))).map(|held| !held),
            Self::Not(filter) => filter.holds(record).map(|held| !held),
            Self::Is { path, operator, value } => {
                let mut found = record.get(&path[0]).unwrap_or(&Value::Null);
                for name in &path[1..] {
                    found = &found[name.as_str()];
                }
                match operator.as_str() {
                    "is" => Some(found.is_null() == (value == "NULL")),
                    _ if found.is_null() => None,
                    operator => Some(holds(found, operator, value)),
                }
            }
        }
    }
}

/// False if one is false, else unknown if one is unknown, else true.
fn every(results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for result in results {
        match result {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}

/// Compares a value that is not null.
fn holds(found: &Value, operator: &str, value: &str) -> bool {
    let (order, text) = (compare(found, value), || plain(found));
    match operator {
        "eq" => order == Some(Ordering::Equal),
        "neq" => order != Some(Ordering::Equal),
        "gt" => order == Some(Ordering::Greater),
        "gte" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "lt" => order == Some(Ordering::Less),
        "lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "in" => list(value).any(|item| compare(found, item) == Some(Ordering::Equal)),
        "containsAny" => {
            list(value).any(|item| found.as_array().is_some_and(|list| list.iter().any(|has| plain(has) == item)))
        }
        "startsWith" => text().starts_with(value),
        "endsWith" => text().ends_with(value),
        "like" => is_like(&text(), value),
        "ilike" => is_like(&text().to_lowercase(), &value.to_lowercase()),
        _ => false,
    }
}

/// `None` if the two cannot be compared.
fn compare(found: &Value, value: &str) -> Option<Ordering> {
    match found {
        Value::Number(number) => number.as_f64()?.partial_cmp(&value.parse().ok()?),
        Value::Bool(own) => Some(own.cmp(&value.parse().ok()?)),
        Value::String(own) if is_utc_millis(own) && is_utc_millis(value) => Some(own.as_str().cmp(value)),
        Value::String(own) => match (own.parse::<Timestamp>(), value.parse::<Timestamp>()) {
            (Ok(own), Ok(value)) => Some(own.cmp(&value)),
            _ => Some(own.as_str().cmp(value)),
        },
        _ => None,
    }
}

/// Whether it looks like `2026-09-14T09:02:12.004Z`. Such dates can be compared as text.
fn is_utc_millis(text: &str) -> bool {
    text.len() == 24 && text.as_bytes()[10] == b'T' && text.ends_with('Z')
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `[a,"b"]`, or `a,b`.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.trim_start_matches('[').trim_end_matches(']').split(',').map(|item| unquoted(item.trim()))
}

/// `%` matches any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Splits at commas outside quotes, brackets and parentheses.
fn split(text: &str) -> Result<Vec<&str>, Failure> {
    let (mut parts, mut start, mut depth, mut is_quoted) = (Vec::new(), 0, 0_i32, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '(' | '[' if !is_quoted => depth += 1,
            ')' | ']' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if is_quoted || depth != 0 {
        return Err(Failure::bad_request(format!("'filter' invalid: {text}")));
    }
    parts.push(&text[start..]);
    Ok(parts.into_iter().map(str::trim).collect())
}

fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
