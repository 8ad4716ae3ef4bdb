//! Catch-up against a fake Twenty, over HTTP.

mod changes;
mod destroyed;
mod manners;
mod storm;
mod support;
