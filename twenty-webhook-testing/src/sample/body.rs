use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A JSON object with members in order, written without spaces as by `JSON.stringify`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(Vec<(String, Box<RawValue>)>);

impl Body {
    /// Adds a member. It may be null.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let json = to_raw_value(&value).expect("a value with text for keys serializes");
        self.0.push((name.to_owned(), json));
        self
    }

    /// Adds a member if there is a value, as `JSON.stringify` omits undefined members.
    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Replaces or adds a member. Null removes it.
    #[must_use]
    pub(crate) fn replacing(mut self, name: &str, value: &Value) -> Self {
        let at = self.0.iter().position(|(key, _)| key == name);
        if value.is_null() {
            self.0.retain(|(key, _)| key != name);
            return self;
        }
        let mut added = Self::default().with(name, value).0;
        match at {
            Some(at) => self.0.splice(at..=at, added).for_each(drop),
            None => self.0.append(&mut added),
        }
        self
    }

    pub(crate) fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (name, value) in &self.0 {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&Value::from(name.as_str()).to_string());
            json.push(':');
            json.push_str(value.get());
        }
        json.push('}');
        json
    }
}

impl Serialize for Body {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
