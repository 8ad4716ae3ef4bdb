use std::fmt;

use crate::Extra;

/// Declares a JSON object whose every field may be absent, null, or not what it should be.
///
/// serde's derive with `flatten` would buffer each unknown field, and fail on one that nests too deep; this keeps it as text.
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
            /// Every other field, and any of the above whose value was not what it should be.
            pub extra: $crate::Extra,
        }

        impl $name {
            /// Makes one for a test: every field is absent until `set` sets it.
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

        /// From `serde_json` only.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::deserialize(deserializer)
            }
        }

        /// As Twenty writes it today, without the fields that are absent.
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

        /// Names and ids: a payload is not for logs.
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

/// Declares the [`object!`] that a record of Twenty's object `$object` is, with the fields that all records have.
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
                /// The record's id: a UUID today, but it is best taken for any text.
                id: Option<String> = "id",
                $($fields)*
                /// When it was made.
                created_at: Option<jiff::Timestamp> = "createdAt",
                /// When it last changed. As deliveries come in no order, compare this with what is stored.
                updated_at: Option<jiff::Timestamp> = "updatedAt",
                /// When it was moved to the trash, if it is there.
                deleted_at: Option<jiff::Timestamp> = "deletedAt",
            }
            record $object, id = id;
            $($rest)*
        }
    };
}
pub(super) use bare_record;

/// Declares a [`bare_record!`] that has an author and a position as well, as nearly all have.
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
                /// Who made it.
                created_by: Option<$crate::records::Actor> = "createdBy",
                /// Who changed it last. From Twenty 2 on.
                updated_by: Option<$crate::records::Actor> = "updatedBy",
                /// Its place in lists that are sorted by hand. It may be negative.
                position: Option<f64> = "position",
                /// What Twenty's full-text search knows of it.
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
