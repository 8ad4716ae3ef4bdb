use std::fmt;

use super::object::object;

object! {
    /// A person's name. `Display` writes the present parts, separated by a space.
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
        /// The primary address. Empty if there is none.
        primary_email: Option<String> = "primaryEmail",
        /// The additional ones.
        additional_emails: Vec<String> = "additionalEmails",
    }
}

object! {
    /// Phone numbers.
    pub struct Phones {
        /// The primary number, without its calling code. Empty if there is none.
        primary_phone_number: Option<String> = "primaryPhoneNumber",
        /// The country, as `FR`.
        primary_phone_country_code: Option<String> = "primaryPhoneCountryCode",
        /// The calling code, as `+33`.
        primary_phone_calling_code: Option<String> = "primaryPhoneCallingCode",
        /// The additional ones.
        additional_phones: Vec<AdditionalPhone> = "additionalPhones",
    }
}

object! {
    /// An additional phone number.
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
        /// The label of the primary link.
        primary_link_label: Option<String> = "primaryLinkLabel",
        /// The URL of the primary link. Empty if there is none.
        primary_link_url: Option<String> = "primaryLinkUrl",
        /// The additional ones.
        secondary_links: Vec<Link> = "secondaryLinks",
    }
}

object! {
    /// A secondary link.
    pub struct Link {
        /// The label.
        label: Option<String> = "label",
        /// The URL.
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
        /// The third line. Only in some versions of Twenty.
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
    /// Formatted text in two formats.
    pub struct RichText {
        /// The format of Twenty's editor: JSON in a string.
        blocknote: Option<String> = "blocknote",
        /// Markdown.
        markdown: Option<String> = "markdown",
    }
}

object! {
    /// A file. Since Twenty 2.
    pub struct File {
        /// The file's id.
        file_id: Option<String> = "fileId",
        /// The label that Twenty shows: the file's name.
        label: Option<String> = "label",
        /// The file name extension, as `pdf`.
        extension: Option<String> = "extension",
        /// A temporary URL of the file.
        url: Option<String> = "url",
    }
}
