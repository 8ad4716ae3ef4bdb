use std::fmt;

use crate::Extra;

/// Declares a JSON object whose fields may each be absent, null, or of an unexpected type.
///
/// serde's derive with `flatten` would buffer each unknown field, and fail on deep nesting. This macro stores unknown fields as text.
macro_rules! object {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal,)*
        }
        $(record $object:literal, id = $id:ident;)?
        $(then = $then:ident;)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// All other fields, and fields with an unexpected value.
            pub extra: $crate::Extra,
        }

        impl $name {
            /// Makes a value, for tests: all fields are absent except those that `set` sets.
            #[must_use]
            pub fn build(set: impl FnOnce(&mut Self)) -> Self {
                let mut built = Self::default();
                set(&mut built);
                built
            }
        }

        $(
            impl $name {
                /// The object's name in Twenty.
                pub const OBJECT: &'static str = $object;
            }

            impl $crate::records::Record for $name {
                const OBJECT: &'static str = $object;
            }
        )?

        $crate::json::json_object! {
            $name { $($field = $key,)* } $(then $then)?
        }

        /// Only from `serde_json`.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }

        /// As Twenty writes it, without absent fields.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use $crate::json::WriteField as _;
                use serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(self.$field.write($key, &mut map)?;)*
                self.extra.iter().try_for_each(|(name, json)| map.serialize_entry(name, json))?;
                map.end()
            }
        }

        /// Names and ids. Payloads must not get into logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut present = Vec::new();
                $(if self.$field != <$type>::default() {
                    present.push(stringify!($field));
                })*
                let id: Option<&str> = None $(.or(self.$id.as_deref()))?;
                $crate::records::object::debug(f, stringify!($name), id, &present, &self.extra)
            }
        }
    };
}
pub(crate) use object;

/// Declares an [`object!`] for the records of `$object`, with the fields that all records have.
macro_rules! bare_record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident: $object:literal {
            $($fields:tt)*
        }
        $($rest:tt)*
    ) => {
        $crate::records::object::object! {
            $(#[$doc])*
            pub struct $name {
                /// The record's id. Currently a UUID; treat it as text.
                id: Option<String> = "id",
                $($fields)*
                /// When the record was created.
                created_at: Option<jiff::Timestamp> = "createdAt",
                /// When the record last changed. Deliveries arrive in no order, so compare it with the stored record.
                updated_at: Option<jiff::Timestamp> = "updatedAt",
                /// When the record was moved to the trash, if it is there.
                deleted_at: Option<jiff::Timestamp> = "deletedAt",
            }
            record $object, id = id;
            $($rest)*
        }
    };
}
pub(super) use bare_record;

/// Declares a [`bare_record!`] with an author and a position, which nearly all records have.
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $name:ident: $object:literal {
            $($fields:tt)*
        }
        $($rest:tt)*
    ) => {
        $crate::records::object::bare_record! {
            $(#[$doc])*
            pub struct $name: $object {
                $($fields)*
                /// The creator.
                created_by: Option<$crate::records::Actor> = "createdBy",
                /// The author of the last change. Since Twenty 2.
                updated_by: Option<$crate::records::Actor> = "updatedBy",
                /// The position in manually sorted lists. It can be negative.
                position: Option<f64> = "position",
                /// The index of Twenty's full-text search.
                search_vector: Option<String> = "searchVector",
            }
            $($rest)*
        }
    };
}
pub(super) use record;

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
