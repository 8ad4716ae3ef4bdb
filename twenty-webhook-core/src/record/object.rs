use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected};
use serde_json::value::RawValue;

use crate::json::Value;
use crate::{Extra, RawJson};

/// Declares a JSON object whose every field may be absent, null, or not what it should be.
///
/// serde's derive with `flatten` would buffer each unknown field, and fail on one that nests too deep; this keeps it as text.
macro_rules! object {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)*
        }
        $(id = $id:ident;)?
        $(then = $then:ident;)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Every other field, and any of the above whose value was not what it should be.
            pub extra: $crate::Extra,
        }

        impl $crate::json::Value for $name {
            fn read(json: &str, source: &bytes::Bytes) -> Option<Self> {
                let mut object = Self::default();
                $crate::json::for_each_member(json, |key, value| {
                    let extra = &mut object.extra;
                    match &*key {
                        $($key => $crate::json::put(&mut object.$field, &key, value, source, extra),)*
                        _ => extra.insert(key, $crate::RawJson::slice(source, value)),
                    }
                    std::ops::ControlFlow::Continue(())
                })
                .ok()?;
                $(object.$then();)?
                Some(object)
            }
        }

        /// From `serde_json` only.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::record::object::deserialize(deserializer)
            }
        }

        /// Names and ids: a payload is not for logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut present = Vec::new();
                $(if self.$field != <$type>::default() {
                    present.push(stringify!($field));
                })*
                let id: Option<&str> = None $(.or(self.$id.as_deref()))?;
                $crate::record::object::debug(f, stringify!($name), id, &present, &self.extra)
            }
        }
    };
}
pub(crate) use object;

/// Declares an [`object!`] with the fields that every record has.
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($fields:tt)*
        }
        $($rest:tt)*
    ) => {
        $crate::record::object::object! {
            $(#[$doc])*
            pub struct $name {
                /// The record's id: a UUID today, but it is best taken for any text.
                id: Option<String> = "id",
                $($fields)*
                /// When it was made.
                created_at: Option<jiff::Timestamp> = "createdAt",
                /// When it last changed. As deliveries come in no order, compare this with what is stored.
                updated_at: Option<jiff::Timestamp> = "updatedAt",
                /// When it was moved to the trash, if it is there.
                deleted_at: Option<jiff::Timestamp> = "deletedAt",
                /// Who made it.
                created_by: Option<$crate::Actor> = "createdBy",
                /// Who changed it last.
                updated_by: Option<$crate::Actor> = "updatedBy",
                /// Its place in lists that are sorted by hand. It may be negative.
                position: Option<f64> = "position",
                /// What Twenty's full-text search knows of it.
                search_vector: Option<String> = "searchVector",
            }
            id = id;
            $($rest)*
        }
    };
}
pub(super) use record;

pub(crate) fn deserialize<'de, T: Value, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let json = RawJson::from(Box::<RawValue>::deserialize(deserializer)?);
    T::read(json.as_str(), json.bytes())
        .ok_or_else(|| D::Error::invalid_type(Unexpected::Other("something else"), &"an object"))
}

pub(crate) fn debug(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    id: Option<&str>,
    present: &[&str],
    extra: &Extra,
) -> fmt::Result {
    let mut debug = f.debug_struct(name);
    if let Some(id) = id {
        debug.field("id", &id);
    }
    debug.field("present", &present).field("extra", extra).finish()
}
