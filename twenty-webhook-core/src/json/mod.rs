//! JSON that stays text: objects are split into members, and each member is decoded on demand.

mod decode_error;
mod extra;
mod field;
mod from_json;
mod members;
mod object;
mod raw_json;
mod surrogates;
mod text;
mod to_json;
mod whole_text;

pub use decode_error::DecodeError;
pub use extra::Extra;
pub(crate) use field::{FieldSeed, WriteField, put};
pub(crate) use from_json::{FromJson, RawObject};
pub(crate) use members::{for_each_element, for_each_member, string};
pub(crate) use object::{JsonObject, json_object};
pub use raw_json::RawJson;
pub(crate) use text::Text;
pub(crate) use to_json::ToJson;
pub(crate) use whole_text::deserialize;
