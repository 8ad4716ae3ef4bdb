use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The newest body of a burst, with the union of all `updatedFields`, where it lists its own. All else in it keeps its bytes. Without any
/// fields it is the newest body as it is.
pub(crate) fn merge<'a>(older: impl IntoIterator<Item = &'a Bytes>, newest: &'a Bytes) -> Bytes {
    let mut fields: Vec<String> = Vec::new();
    for field in older.into_iter().chain([newest]).flat_map(|body| all_fields(body)) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let Some(newest_read) = read(newest).filter(|_| !fields.is_empty()) else { return newest.clone() };
    with_fields(&newest_read, &serde_json::Value::from(fields).to_string()).into()
}

const FIELDS: &str = "updatedFields";

/// Those of the event, of its items, and of a change of the data model.
fn all_fields(body: &[u8]) -> Vec<String> {
    let Some(body) = read(body) else { return Vec::new() };
    let change = body.object("event");
    let properties = change.as_ref().and_then(|change| change.object("properties"));
    let items = body.array("items");
    let items = items.iter().filter_map(|item| read(item.get().as_bytes()));
    [Some(body.fields()), change.map(|change| change.fields()), properties.map(|properties| properties.fields())]
        .into_iter()
        .flatten()
        .chain(items.map(|item| item.fields()))
        .flatten()
        .collect()
}

/// The body with these fields.
fn with_fields(body: &Object<'_>, fields: &str) -> String {
    if body.get(FIELDS).is_some() {
        return body.with(FIELDS, fields);
    }
    if let Some(change) = body.object("event") {
        let change = match change.object("properties") {
            Some(properties) => change.with("properties", &properties.with(FIELDS, fields)),
            None => change.with(FIELDS, fields),
        };
        return body.with("event", &change);
    }
    let items = body.array("items");
    // All items of a batch that is merged are of one record.
    if let Some((last, others)) = items.split_last()
        && let Some(last) = read(last.get().as_bytes())
    {
        let others = others.iter().map(|item| item.get().to_owned());
        let items: Vec<_> = others.chain([last.with(FIELDS, fields)]).collect();
        return body.with("items", &format!("[{}]", items.join(",")));
    }
    body.with(FIELDS, fields)
}

fn read(json: &[u8]) -> Option<Object<'_>> {
    serde_json::from_slice(json).ok()
}

/// A JSON object, member by member, in order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(member, _)| member == name).map(|(_, value)| value.get())
    }

    fn object(&self, name: &str) -> Option<Object<'a>> {
        read(self.get(name)?.as_bytes())
    }

    fn array(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).and_then(|items| serde_json::from_str(items).ok()).unwrap_or_default()
    }

    fn fields(&self) -> Vec<String> {
        self.get(FIELDS).and_then(|fields| serde_json::from_str(fields).ok()).unwrap_or_default()
    }

    /// This object with another value of that member, as its last.
    fn with(&self, name: &str, value: &str) -> String {
        let mut json = String::new();
        for (other, value) in self.0.iter().filter(|(other, _)| other != name) {
            json += if json.is_empty() { "{" } else { "," };
            json += &serde_json::Value::from(other.as_str()).to_string();
            json += ":";
            json += value.get();
        }
        json += if json.is_empty() { "{" } else { "," };
        json + &format!("\"{name}\":{value}}}")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
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
    fn a_batch_of_one_record_and_a_change_of_the_data_model_list_their_fields_inside() {
        let item = |fields: &str| {
            format!(r#"{{"items":[{{"record":{{"id":"1"}}}},{{"updatedFields":[{fields}],"record":{{"n":1.50}}}}]}}"#)
        };
        assert_eq!(
            merged(&[&item(r#""name""#), r#"{"updatedFields":["city"],"record":{}}"#], &item(r#""stage""#)),
            r#"{"items":[{"record":{"id":"1"}},{"record":{"n":1.50},"updatedFields":["name","city","stage"]}]}"#
        );
        let change = |fields: &str| {
            format!(
                r#"{{"event":{{"type":"updated","properties":{{"updatedFields":[{fields}],"after":{{"n":1.50}}}}}}}}"#
            )
        };
        assert_eq!(
            merged(&[&change(r#""label""#)], &change(r#""icon""#)),
            r#"{"event":{"type":"updated","properties":{"after":{"n":1.50},"updatedFields":["label","icon"]}}}"#
        );
        let newest = r#"{"event":"person.updated","record":{}}"#;
        assert_eq!(
            merged(&[r#"{"updatedFields":["name"]}"#], newest),
            r#"{"event":"person.updated","record":{},"updatedFields":["name"]}"#
        );
    }

    #[test]
    fn what_has_no_fields_stays_as_it_is() {
        let newest = r#"{"eventName": "x.updated", "record": {}}"#;
        assert_eq!(merged(&[newest], newest), newest);
        assert_eq!(merged(&["no json"], newest), newest);
    }
}
