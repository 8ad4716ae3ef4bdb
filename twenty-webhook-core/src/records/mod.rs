//! Twenty's standard objects, each as a type, and what their fields are made of.
//!
//! The fields are those of Twenty 2.43, together with some that only older versions have. Every field may be absent, and null is the
//! same as absent. A custom field is in `extra`, under its API name. So is a field whose value is not what it should be, say a date that
//! cannot be read: then the field itself is `None`. Nothing that Twenty sends makes a whole record fail.
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
//! Records are written by serde as Twenty writes them. In a test, make them with `build`:
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
mod deals;
mod messages;
mod number;
pub(crate) mod object;
mod people;
mod record;
mod work;
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
pub use deals::Opportunity;
pub use messages::{Message, MessageChannelMessageAssociation, MessageParticipant, MessageThread, MessageThreadTarget};
pub use people::{Company, Person};
pub use record::Record;
pub use work::{Attachment, Note, NoteTarget, Task, TaskTarget};
pub use workflows::{Workflow, WorkflowAutomatedTrigger, WorkflowRun, WorkflowVersion};
pub use workspace::{Blocklist, Dashboard, WorkspaceMember};
