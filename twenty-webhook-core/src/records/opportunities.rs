use super::Currency;
use super::object::record;

record! {
    /// An opportunity: a possible deal.
    pub struct Opportunity: "opportunity" {
        /// The name.
        name: Option<String> = "name",
        /// The amount.
        amount: Option<Currency> = "amount",
        /// The expected close date.
        close_date: Option<jiff::Timestamp> = "closeDate",
        /// The stage, as `PROPOSAL`. Text, because each workspace has its own stages.
        stage: Option<String> = "stage",
        /// The id of the [`Person`](super::Person) to talk to.
        point_of_contact_id: Option<String> = "pointOfContactId",
        /// The id of the [`Company`](super::Company) of the opportunity.
        company_id: Option<String> = "companyId",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that owns it.
        owner_id: Option<String> = "ownerId",
        /// The probability in percent. Only in older versions of Twenty.
        probability: Option<f64> = "probability",
    }
}
