use std::fmt;

use super::object::object;

object! {
    /// A person's name. `Display` is the parts there are, with a space between them.
    pub struct FullName {
        /// The first name.
        first_name: Option<String> = "firstName",
        /// The last name.
        last_name: Option<String> = "lastName",
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = [&self.first_name, &self.last_name].into_iter().flatten().filter(|part| !part.is_empty());
        f.write_str(parts.next().map_or("", String::as_str))?;
        parts.try_for_each(|part| write!(f, " {part}"))
    }
}

object! {
    /// Email addresses.
    pub struct Emails {
        /// The main one. Empty where there is none.
        primary_email: Option<String> = "primaryEmail",
        /// The others.
        additional_emails: Vec<String> = "additionalEmails",
    }
}

object! {
    /// Phone numbers.
    pub struct Phones {
        /// The main number, without its calling code. Empty where there is none.
        primary_phone_number: Option<String> = "primaryPhoneNumber",
        /// The country, as `FR`.
        primary_phone_country_code: Option<String> = "primaryPhoneCountryCode",
        /// The calling code, as `+33`.
        primary_phone_calling_code: Option<String> = "primaryPhoneCallingCode",
        /// The others.
        additional_phones: Vec<AdditionalPhone> = "additionalPhones",
    }
}

object! {
    /// One more phone number.
    pub struct AdditionalPhone {
        /// The number, without its calling code.
        number: Option<String> = "number",
        /// The country, as `FR`.
        country_code: Option<String> = "countryCode",
        /// The calling code, as `+33`.
        calling_code: Option<String> = "callingCode",
    }
}

object! {
    /// Links.
    pub struct Links {
        /// What the main link reads.
        primary_link_label: Option<String> = "primaryLinkLabel",
        /// Where the main link goes. Empty where there is none.
        primary_link_url: Option<String> = "primaryLinkUrl",
        /// The others.
        secondary_links: Vec<Link> = "secondaryLinks",
    }
}

object! {
    /// One more link.
    pub struct Link {
        /// What it reads.
        label: Option<String> = "label",
        /// Where it goes.
        url: Option<String> = "url",
    }
}

object! {
    /// A postal address.
    pub struct Address {
        /// The first line.
        street1: Option<String> = "addressStreet1",
        /// The second line.
        street2: Option<String> = "addressStreet2",
        /// The third line, which some versions of Twenty have.
        street3: Option<String> = "addressStreet3",
        /// The city.
        city: Option<String> = "addressCity",
        /// The postcode.
        postcode: Option<String> = "addressPostcode",
        /// The state.
        state: Option<String> = "addressState",
        /// The country's name.
        country: Option<String> = "addressCountry",
        /// The latitude in degrees. Twenty sends a number, or a number in a string.
        latitude: Option<f64> = "addressLat",
        /// The longitude in degrees. Twenty sends a number, or a number in a string.
        longitude: Option<f64> = "addressLng",
    }
}

object! {
    /// Formatted text, twice.
    pub struct RichText {
        /// For Twenty's editor: a string that holds JSON.
        blocknote: Option<String> = "blocknote",
        /// For all other programs.
        markdown: Option<String> = "markdown",
    }
}

object! {
    /// A file. From Twenty 2 on.
    pub struct File {
        /// The file's id.
        file_id: Option<String> = "fileId",
        /// What Twenty shows: the file's name.
        label: Option<String> = "label",
        /// The end of the file's name, as `pdf`.
        extension: Option<String> = "extension",
        /// Where to get it, for a while.
        url: Option<String> = "url",
    }
}
