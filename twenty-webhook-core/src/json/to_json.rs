use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::JsonObject;
use crate::RawJson;

/// A value that is written as Twenty writes it.
pub(crate) trait ToJson {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A [`ToJson`], for serde.
pub(super) struct AsJson<'a, T>(pub(super) &'a T);

impl<T: ToJson> Serialize for AsJson<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

macro_rules! by_serde {
    ($($type:ty)*) => {$(
        impl ToJson for $type {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

by_serde! { String bool f64 i64 RawJson }

impl<T: JsonObject + Serialize> ToJson for T {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(AsJson))
    }
}

/// With three decimals, as in JavaScript, or more if the time has a finer resolution.
impl ToJson for Timestamp {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.subsec_nanosecond() % 1_000_000 == 0 {
            serializer.collect_str(&format_args!("{self:.3}"))
        } else {
            serializer.collect_str(self)
        }
    }
}
