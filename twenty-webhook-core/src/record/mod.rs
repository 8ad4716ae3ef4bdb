//! Twenty's standard objects. What they have in common is said at [`Person`](crate::Person).

mod actor;
mod company;
mod composites;
mod currency;
mod date;
mod number;
pub(crate) mod object;
mod opportunity;
mod person;
mod task_and_note;
mod workspace_member;

pub use actor::{Actor, ActorSource};
pub use company::Company;
pub use composites::{AdditionalPhone, Address, Emails, FullName, Link, Links, Phones, RichText};
pub use currency::Currency;
pub(crate) use date::parse_date;
pub use opportunity::Opportunity;
pub use person::Person;
pub use task_and_note::{Note, Task};
pub use workspace_member::WorkspaceMember;
