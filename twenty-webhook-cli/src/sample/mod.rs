//! Samples of what Twenty sends: made up, and fresh each time, so that each is a new delivery.

mod body;
mod form;
mod fresh;
mod name;
mod template;

pub(crate) use body::Sample;
pub(crate) use form::Form;
pub(crate) use name::EventName;
