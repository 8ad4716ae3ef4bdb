use super::Currency;
use super::object::record;

record! {
    /// An opportunity: a deal that may come about.
    pub struct Opportunity: "opportunity" {
        /// The name.
        name: Option<String> = "name",
        /// What it is worth.
        amount: Option<Currency> = "amount",
        /// When it should be won.
        close_date: Option<jiff::Timestamp> = "closeDate",
        /// The stage, as `PROPOSAL`. Text, because each workspace has its own stages.
        stage: Option<String> = "stage",
        /// The id of the [`Person`](super::Person) to talk to.
        point_of_contact_id: Option<String> = "pointOfContactId",
        /// The id of the [`Company`](super::Company) that it is for.
        company_id: Option<String> = "companyId",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that looks after it.
        owner_id: Option<String> = "ownerId",
        /// How likely it is, in percent. Older versions of Twenty only.
        probability: Option<f64> = "probability",
    }
}
