//! Routes events to handlers by name. No I/O and no runtime: [`EventRouter::handle`] is a future for any executor.

mod error;
mod event_router;
mod handler;
mod items;
mod route;
mod table;

pub use error::RouteError;
pub use event_router::EventRouter;
pub use handler::{EventHandler, HandlerOutput};
