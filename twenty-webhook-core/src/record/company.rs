use super::object::record;
use crate::{Address, Currency, Links};

record! {
    /// A company. See [`Person`](crate::Person) for what all records have in common.
    pub struct Company {
        /// The name.
        name: Option<String> = "name",
        /// The website; its address is the main link.
        domain_name: Option<Links> = "domainName",
        /// How many people work there.
        employees: Option<i64> = "employees",
        /// The revenue that recurs each year.
        annual_recurring_revenue: Option<Currency> = "annualRecurringRevenue",
        /// The postal address.
        address: Option<Address> = "address",
        /// Whether it is the kind of customer that is looked for.
        ideal_customer_profile: Option<bool> = "idealCustomerProfile",
        /// The id of the [`WorkspaceMember`](crate::WorkspaceMember) who looks after it.
        account_owner_id: Option<String> = "accountOwnerId",
        /// The profile on LinkedIn.
        linkedin_link: Option<Links> = "linkedinLink",
        /// The profile on X.
        x_link: Option<Links> = "xLink",
    }
}
