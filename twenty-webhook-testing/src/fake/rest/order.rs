use std::cmp::Ordering;

use serde_json::Value;

use super::Failure;
use crate::sample::Fields;

/// An `order_by` parameter: `createdAt[DescNullsLast],id[AscNullsFirst]`. Ties are ordered by id.
#[derive(Clone, Debug)]
pub(super) struct Order(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    field: String,
    is_descending: bool,
    nulls_first: bool,
}

impl Order {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let mut keys = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (field, direction) = match part.split_once('[') {
                Some((field, direction)) => (field, direction.trim_end_matches(']')),
                None => (part, "AscNullsFirst"),
            };
            let (is_descending, nulls_first) = match direction {
                "AscNullsFirst" => (false, true),
                "AscNullsLast" => (false, false),
                "DescNullsFirst" => (true, true),
                "DescNullsLast" => (true, false),
                _ => {
                    return Err(Failure::bad_request(format!(
                        "'order_by' direction '{direction}' invalid. Allowed values are 'AscNullsFirst', 'AscNullsLast', \
                         'DescNullsFirst', 'DescNullsLast'. eg: ?order_by=field_1[AscNullsFirst],field_2[DescNullsLast]"
                    )));
                }
            };
            keys.push(Key { field: field.to_owned(), is_descending, nulls_first });
        }
        if !keys.iter().any(|key| key.field == "id") {
            keys.push(Key { field: "id".to_owned(), is_descending: false, nulls_first: true });
        }
        Ok(Self(keys))
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.field.as_str())
    }

    /// Whether it is the order of the stored records.
    pub(super) fn is_by_id(&self) -> bool {
        matches!(&self.0[..], [key] if key.field == "id" && !key.is_descending)
    }

    /// The values that a record is ordered by, which are also the content of a cursor.
    pub(super) fn key_of(&self, record: &Fields) -> Vec<Value> {
        self.0.iter().map(|key| record.get(&key.field).cloned().unwrap_or(Value::Null)).collect()
    }

    pub(super) fn compare(&self, left: &[Value], right: &[Value]) -> Ordering {
        let pairs = self.0.iter().zip(left.iter().zip(right));
        pairs
            .map(|(key, (left, right))| key.compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Key {
    fn compare(&self, left: &Value, right: &Value) -> Ordering {
        let nulls = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        let order = match (left, right) {
            (Value::Null, Value::Null) => return Ordering::Equal,
            (Value::Null, _) => return nulls,
            (_, Value::Null) => return nulls.reverse(),
            (Value::Number(left), Value::Number(right)) => {
                left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default())
            }
            (Value::String(left), Value::String(right)) => left.cmp(right),
            _ => left.to_string().cmp(&right.to_string()),
        };
        if self.is_descending { order.reverse() } else { order }
    }
}
