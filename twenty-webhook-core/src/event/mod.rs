//! Events: the content of a verified body.

mod action;
mod envelope;
mod item;
mod name;
mod not_an_event;
mod object_metadata;
mod parts;
mod pattern;
mod payload;
mod record_accessors;
mod record_error;
mod webhook_event;

pub use action::{Action, OtherAction};
pub use item::EventItem;
pub use name::EventName;
pub use not_an_event::NotAnEvent;
pub use object_metadata::ObjectMetadata;
pub use pattern::{EventPattern, EventPatternError};
pub use payload::{BatchItem, MetadataChange, Payload};
pub use record_error::RecordError;
pub use webhook_event::WebhookEvent;
