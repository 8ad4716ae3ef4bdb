//! Sample events with realistic values. The same seed gives the same bytes.

mod body;
mod builder;
mod dates;
mod envelope;
mod error;
mod fields;
mod form;
mod name;
mod objects;
mod older;
mod random;
mod records;
mod values;
mod version;

pub use builder::{EventBuilder, event};
pub use error::SampleError;
pub use form::Form;
pub use objects::standard_objects;
pub use version::Version;
#[cfg(feature = "fake-twenty")]
pub(crate) use {
    dates::iso,
    envelope::{Envelope, metadata_state, object_metadata_id, updated_fields},
    fields::Fields,
    name::Name,
    objects::{Kind, OBJECTS, Object},
    random::Random,
    records::Dates,
};

use twenty_webhook_core::UnixMillis;

/// 2026-09-14T09:02:12.004Z.
pub(crate) const DEFAULT_DATE: UnixMillis = UnixMillis::from_millis(1_789_376_532_004);
