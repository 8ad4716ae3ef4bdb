//! JSON that stays text: an object is taken apart into its members, and each of those is decoded only when, and as, it is needed.

mod decode_error;
mod extra;
mod field;
mod members;
mod raw_json;
mod surrogates;
mod text;

pub use decode_error::DecodeError;
pub use extra::Extra;
pub(crate) use field::{Object, Value, put};
pub(crate) use members::{for_each_member, string};
pub use raw_json::RawJson;
pub(crate) use text::Text;
