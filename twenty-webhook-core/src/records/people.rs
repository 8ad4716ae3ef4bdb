use super::object::record;
use super::{Actor, Address, Currency, Emails, File, FullName, Links, Phones};

record! {
    /// A person.
    ///
    /// # The documented form
    ///
    /// Twenty's docs show a person with `firstName`, `lastName`, `email`, and `createdBy` as text, which become [`name`](Self::name),
    /// [`emails`](Self::emails) and [`created_by`](Self::created_by) where those are absent:
    ///
    /// ```
    /// use twenty_webhook_core::WebhookEvent;
    /// use twenty_webhook_core::records::Person;
    ///
    /// let body = r#"{"event":"person.created","data":{"id":"abc12345","firstName":"Alice","lastName":"Doe"}}"#;
    /// let person: Person = WebhookEvent::from_stored(body)?.record()?;
    /// assert_eq!(person.name.unwrap().to_string(), "Alice Doe");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct Person: "person" {
        /// The name.
        name: Option<FullName> = "name",
        /// The email addresses.
        emails: Option<Emails> = "emails",
        /// The phone numbers.
        phones: Option<Phones> = "phones",
        /// The profile on LinkedIn.
        linkedin_link: Option<Links> = "linkedinLink",
        /// The job title.
        job_title: Option<String> = "jobTitle",
        /// The URL of a picture.
        avatar_url: Option<String> = "avatarUrl",
        /// The picture, as a file. Since Twenty 2.
        avatar_file: Vec<File> = "avatarFile",
        /// The id of the [`Company`] that the person works for.
        company_id: Option<String> = "companyId",
        /// The profile on X. Only in older versions of Twenty.
        x_link: Option<Links> = "xLink",
        /// The city. Only in older versions of Twenty.
        city: Option<String> = "city",
    }
    then = read_documented_form;
}

impl Person {
    fn read_documented_form(&mut self) {
        let extra = &mut self.extra;
        // Not of a record whose `name` is something else: written again, it would have two of them.
        if self.name.is_none() && extra.get("name").is_none() {
            let name = FullName {
                first_name: extra.take("firstName"),
                last_name: extra.take("lastName"),
                ..FullName::default()
            };
            self.name = (name != FullName::default()).then_some(name);
        }
        if self.emails.is_none()
            && extra.get("emails").is_none()
            && let Some(email) = extra.take("email")
        {
            self.emails = Some(Emails { primary_email: Some(email), ..Emails::default() });
        }
        if self.created_by.is_none()
            && let Some(user_id) = extra.take("createdBy")
        {
            self.created_by = Some(Actor { user_id: Some(user_id), ..Actor::default() });
        }
    }
}

record! {
    /// A company.
    pub struct Company: "company" {
        /// The name.
        name: Option<String> = "name",
        /// The website, as the primary link.
        domain_name: Option<Links> = "domainName",
        /// The postal address.
        address: Option<Address> = "address",
        /// The profile on LinkedIn.
        linkedin_link: Option<Links> = "linkedinLink",
        /// The annual revenue. Since Twenty 2.
        annual_revenue: Option<Currency> = "annualRevenue",
        /// The id of the [`WorkspaceMember`](super::WorkspaceMember) that owns the account.
        account_owner_id: Option<String> = "accountOwnerId",
        /// The number of employees. Only in older versions of Twenty.
        employees: Option<i64> = "employees",
        /// The profile on X. Only in older versions of Twenty.
        x_link: Option<Links> = "xLink",
        /// The annual recurring revenue. Only in older versions of Twenty.
        annual_recurring_revenue: Option<Currency> = "annualRecurringRevenue",
        /// Whether the company fits the ideal customer profile. Only in older versions of Twenty.
        ideal_customer_profile: Option<bool> = "idealCustomerProfile",
    }
}
