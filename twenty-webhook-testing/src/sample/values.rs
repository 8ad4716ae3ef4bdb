use serde_json::{Value, json};

use super::dates::{days_after, iso};
use super::objects::{Kind, Object};
use super::random::Random;
use super::records::Dates;

const FIRST_NAMES: [&str; 6] = ["Ada", "Inès", "Grace", "Tomáš", "Mei", "Olamide"];
const LAST_NAMES: [&str; 6] = ["Lovelace", "Moreau", "Hopper", "Novák", "Tanaka", "Adeyemi"];
const COMPANIES: [&str; 5] = ["Analytical Engines", "Northwind", "Blue Harbour", "Société Générique", "Kestrel & Sons"];
const CITIES: [&str; 4] = ["London", "Nantes", "Osaka", "Lagos"];

/// A made-up value for a field.
pub(super) fn sample_value(object: &Object, name: &str, kind: Kind, dates: &Dates, random: &mut Random) -> Value {
    match kind {
        Kind::Text => text(object, name, random).into(),
        Kind::Number => (random.below(500) + 1).into(),
        Kind::Boolean => (random.below(2) == 1).into(),
        Kind::DateTime => iso(days_after(dates.updated, u64::from(random.below(30)))).into(),
        Kind::Texts => json!(["ACTIVE"]),
        Kind::Json => json!({ "steps": [{ "id": random.uuid(), "type": "CREATE_RECORD" }] }),
        Kind::Relation => random.uuid().into(),
        Kind::FullName => {
            json!({ "firstName": random.pick(&FIRST_NAMES), "lastName": random.pick(&LAST_NAMES) })
        }
        Kind::Emails => json!({ "primaryEmail": email(random), "additionalEmails": [] }),
        Kind::Phones => json!({
            "primaryPhoneNumber": phone(random),
            "primaryPhoneCountryCode": "FR",
            "primaryPhoneCallingCode": "+33",
            "additionalPhones": [],
        }),
        Kind::Links => json!({ "primaryLinkLabel": "", "primaryLinkUrl": url(random), "secondaryLinks": [] }),
        Kind::Address => json!({
            "addressStreet1": format!("{} Harbour Street", random.below(200) + 1),
            "addressStreet2": "",
            "addressCity": random.pick(&CITIES),
            "addressPostcode": format!("{:05}", random.below(100_000)),
            "addressState": "",
            "addressCountry": "France",
            "addressLat": 47.2184,
            "addressLng": -1.5536,
        }),
        Kind::Currency => {
            json!({ "amountMicros": u64::from(random.below(90_000) + 10_000) * 1_000_000, "currencyCode": "EUR" })
        }
        Kind::Files => {
            json!([{ "fileId": random.uuid(), "label": "contract.pdf", "extension": "pdf" }])
        }
        Kind::RichText => rich_text("Call back on Monday."),
    }
}

fn rich_text(text: &str) -> Value {
    let blocknote = json!([{ "type": "paragraph", "content": [{ "type": "text", "text": text, "styles": {} }] }]);
    json!({ "blocknote": blocknote.to_string(), "markdown": text })
}

fn text(object: &Object, name: &str, random: &mut Random) -> String {
    match (object.singular.as_str(), name) {
        ("company", "name") => random.pick(&COMPANIES).to_owned(),
        ("opportunity", "name") => format!("{}: {} seats", random.pick(&COMPANIES), random.below(90) + 10),
        ("opportunity", "stage") => random.pick(&["NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER"]).to_owned(),
        ("task", "status") => random.pick(&["TODO", "IN_PROGRESS", "DONE"]).to_owned(),
        ("workflowRun", "status") => random.pick(&["ENQUEUED", "RUNNING", "COMPLETED", "FAILED"]).to_owned(),
        (_, "status" | "state" | "role" | "direction" | "type" | "scope" | "reason" | "source") => "ACTIVE".to_owned(),
        (_, "title" | "subject") => "Follow up on the offer".to_owned(),
        (_, "jobTitle") => random.pick(&["Head of Computing", "Head of Procurement", "Buyer"]).to_owned(),
        (_, "city" | "location") => random.pick(&CITIES).to_owned(),
        (_, "userEmail" | "handle" | "emailAddress" | "recipientEmail" | "fromAddress") => email(random),
        (_, "displayName") => format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES)),
        (_, "avatarUrl") => String::new(),
        (_, "locale") => "en".to_owned(),
        (_, "timeZone") => "Europe/Paris".to_owned(),
        (_, "colorScheme") => random.pick(&["Light", "Dark", "System"]).to_owned(),
        (_, "name") => format!("Number {}", random.below(1000)),
        _ => format!("{name} {}", random.below(1000)),
    }
}

fn email(random: &mut Random) -> String {
    let name = random.pick(&["ada", "ines", "grace", "tomas", "mei", "olamide"]);
    format!("{name}.{}@northwind.example", random.below(10_000))
}

fn phone(random: &mut Random) -> String {
    format!("6{:08}", random.below(100_000_000))
}

fn url(random: &mut Random) -> String {
    format!("https://www.northwind-{}.example", random.below(1000))
}
