//! Twenty's standard objects as types, with the types of their fields.
//!
//! The fields are those of Twenty 2.43, and some of older versions. Each field may be absent, and null counts as absent. Custom fields are in
//! `extra`, under their API names. So is a field with an unexpected value, such as an invalid date; the field itself is then `None`. Nothing
//! that Twenty sends makes a whole record fail.
//!
//! ```
//! use twenty_webhook_core::WebhookEvent;
//! use twenty_webhook_core::records::{Opportunity, Person};
//!
//! let body = r#"{"eventName":"person.created","record":{"name":{"firstName":"Inès","lastName":"Moreau"},"shoeSize":38}}"#;
//! let event = WebhookEvent::from_stored(body)?;
//! if let Some(person) = event.record_of::<Person>()? {
//!     assert_eq!(person.name.unwrap().to_string(), "Inès Moreau");
//!     assert_eq!(person.extra.get("shoeSize").unwrap().decode::<u8>()?, 38);
//! }
//! assert!(event.record_of::<Opportunity>()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! serde writes records as Twenty does. In tests, make them with `build`:
//!
//! ```
//! use twenty_webhook_core::records::{FullName, Person};
//!
//! let person = Person::build(|person| {
//!     person.id = Some("p1".into());
//!     person.name = Some(FullName::build(|name| name.first_name = Some("Inès".into())));
//! });
//! assert_eq!(serde_json::to_string(&person)?, r#"{"id":"p1","name":{"firstName":"Inès"}}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod actor;
mod calendar;
mod campaigns;
mod composites;
mod currency;
mod date;
mod messages;
mod number;
pub(crate) mod object;
mod opportunities;
mod people;
mod record;
mod tasks;
mod workflows;
mod workspace;

pub use actor::{Actor, ActorSource, OtherActorSource};
pub use calendar::{
    CalendarChannelEventAssociation, CalendarEvent, CalendarEventParticipant, CalendarEventTarget, CallRecording,
};
pub use campaigns::{CampaignDelivery, MessageCampaign, MessageList, MessageListMember, MessageSuppression};
pub use composites::{AdditionalPhone, Address, Emails, File, FullName, Link, Links, Phones, RichText};
pub use currency::Currency;
pub(crate) use date::parse_date;
pub use messages::{Message, MessageChannelMessageAssociation, MessageParticipant, MessageThread, MessageThreadTarget};
pub use opportunities::Opportunity;
pub use people::{Company, Person};
pub use record::Record;
pub use tasks::{Attachment, Note, NoteTarget, Task, TaskTarget};
pub use workflows::{Workflow, WorkflowAutomatedTrigger, WorkflowRun, WorkflowVersion};
pub use workspace::{Blocklist, Dashboard, WorkspaceMember};
