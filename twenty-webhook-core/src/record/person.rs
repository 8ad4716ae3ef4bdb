use super::object::record;
use crate::{Actor, Emails, FullName, Links, Phones};

record! {
    /// A person.
    ///
    /// # What all records have in common
    ///
    /// Every field may be absent, and null is the same as absent. A custom field is in `extra`, under its API name. So is a field whose
    /// value is not what it should be, say a date that cannot be read: then the field itself is `None`. Nothing that Twenty sends
    /// makes the whole record fail.
    ///
    /// # The documented form
    ///
    /// Twenty's docs show a person with `firstName`, `lastName`, `email`, and `createdBy` as text, which become [`name`](Self::name),
    /// [`emails`](Self::emails) and [`created_by`](Self::created_by) where those are absent:
    ///
    /// ```
    /// use twenty_webhook_core::{Person, WebhookEvent};
    ///
    /// let body = r#"{"event":"person.created","data":{"id":"abc12345","firstName":"Alice","lastName":"Doe"}}"#;
    /// let person: Person = WebhookEvent::from_stored(body)?.record()?;
    /// assert_eq!(person.name.unwrap().to_string(), "Alice Doe");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct Person {
        /// The name.
        name: Option<FullName> = "name",
        /// The email addresses.
        emails: Option<Emails> = "emails",
        /// The phone numbers.
        phones: Option<Phones> = "phones",
        /// The profile on LinkedIn.
        linkedin_link: Option<Links> = "linkedinLink",
        /// The profile on X.
        x_link: Option<Links> = "xLink",
        /// The job title.
        job_title: Option<String> = "jobTitle",
        /// The city.
        city: Option<String> = "city",
        /// The URL of a picture.
        avatar_url: Option<String> = "avatarUrl",
        /// The id of the [`Company`](crate::Company) that the person works for.
        company_id: Option<String> = "companyId",
    }
    then = read_documented_form;
}

impl Person {
    fn read_documented_form(&mut self) {
        let extra = &mut self.extra;
        if self.name.is_none() {
            let name = FullName {
                first_name: extra.take("firstName"),
                last_name: extra.take("lastName"),
                ..FullName::default()
            };
            self.name = (name != FullName::default()).then_some(name);
        }
        if self.emails.is_none()
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
