use super::object::record;
use crate::Currency;

record! {
    /// An opportunity: a deal that may come about. See [`Person`](crate::Person) for what all records have in common.
    pub struct Opportunity {
        /// The name.
        name: Option<String> = "name",
        /// What it is worth.
        amount: Option<Currency> = "amount",
        /// When it should be won.
        close_date: Option<jiff::Timestamp> = "closeDate",
        /// The stage, as `PROPOSAL`. Text, because each workspace has its own stages.
        stage: Option<String> = "stage",
        /// The id of the [`Person`](crate::Person) to talk to.
        point_of_contact_id: Option<String> = "pointOfContactId",
        /// The id of the [`Company`](crate::Company) that it is for.
        company_id: Option<String> = "companyId",
        /// The id of the [`WorkspaceMember`](crate::WorkspaceMember) who looks after it.
        owner_id: Option<String> = "ownerId",
        /// How likely it is, in percent. Older versions of Twenty only.
        probability: Option<f64> = "probability",
    }
}
