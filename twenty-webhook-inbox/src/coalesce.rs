use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The newest body of a burst, with the union of all `updatedFields`. All else in it keeps its bytes. Without any fields it is the newest
/// body as it is.
pub(crate) fn merge<'a>(older: impl IntoIterator<Item = &'a Bytes>, newest: &Bytes) -> Bytes {
    let mut fields: Vec<String> = Vec::new();
    let mut add = |body: &Bytes| {
        for field in read(body).map(|read| read.updated_fields).unwrap_or_default() {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
    };
    older.into_iter().for_each(&mut add);
    add(newest);
    let Some(Read { members, .. }) = read(newest).filter(|_| !fields.is_empty()) else { return newest.clone() };
    let union = serde_json::Value::from(fields).to_string();
    let mut merged = String::with_capacity(newest.len() + union.len() + 32);
    for (name, value) in members.iter().filter(|(name, _)| name != FIELDS) {
        merged += if merged.is_empty() { "{" } else { "," };
        merged += &serde_json::Value::from(name.as_str()).to_string();
        merged += ":";
        merged += value.get();
    }
    merged += if merged.is_empty() { "{" } else { "," };
    merged += &format!("\"{FIELDS}\":{union}}}");
    merged.into()
}

const FIELDS: &str = "updatedFields";

fn read(body: &[u8]) -> Option<Read<'_>> {
    serde_json::from_slice(body).ok()
}

/// A body, member by member, in order.
struct Read<'a> {
    members: Vec<(String, &'a RawValue)>,
    updated_fields: Vec<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Read<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Read<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read<'de>, A::Error> {
                let (mut members, mut updated_fields) = (Vec::new(), Vec::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if name == FIELDS {
                        updated_fields = serde_json::from_str(value.get()).unwrap_or_default();
                    }
                    members.push((name, value));
                }
                Ok(Read { members, updated_fields })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(older: &[&str], newest: &str) -> String {
        let older: Vec<_> = older.iter().map(|body| Bytes::from((*body).to_owned())).collect();
        String::from_utf8(merge(&older, &Bytes::from(newest.to_owned())).to_vec()).unwrap()
    }

    #[test]
    fn the_newest_record_with_the_fields_of_all() {
        let older = r#"{"updatedFields":["name","stage"],"record":{"name":"a"}}"#;
        let newest =
            r#"{"eventName":"x.updated","updatedFields":["stage","amount"],"record":{"note":"\ud83d","n":1.50}}"#;
        assert_eq!(
            merged(&[older, "{}"], newest),
            r#"{"eventName":"x.updated","record":{"note":"\ud83d","n":1.50},"updatedFields":["name","stage","amount"]}"#
        );
    }

    #[test]
    fn what_has_no_fields_stays_as_it_is() {
        let newest = r#"{"eventName": "x.updated", "record": {}}"#;
        assert_eq!(merged(&[newest], newest), newest);
        assert_eq!(merged(&["no json"], newest), newest);
    }
}
