//! Standard objects, as typed records.

use twenty_webhook_core::WebhookEvent;
use twenty_webhook_core::jiff::Timestamp;
use twenty_webhook_core::records::{ActorSource, Company, Currency, Note, Opportunity, Person, Task, WorkspaceMember};

use crate::vectors::event;

fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[test]
fn a_person() {
    let person: Person = event("02-person-updated-fields.json").record().unwrap();
    assert_eq!(person.id.as_deref(), Some("6b1f20a4-5c1d-4e7a-9b3f-2a6d8e0f20a4"));
    assert_eq!(person.name.unwrap().to_string(), "Inès Moreau");
    let emails = person.emails.unwrap();
    assert_eq!(emails.primary_email.as_deref(), Some("i.moreau@northwind.example"));
    assert_eq!(emails.additional_emails, ["ines.moreau@northwind.example"]);
    let phones = person.phones.unwrap();
    assert_eq!(phones.primary_phone_calling_code.as_deref(), Some("+33"));
    assert_eq!(phones.additional_phones[0].number.as_deref(), Some("145678901"));
    assert_eq!(person.job_title.as_deref(), Some("Head of Procurement"));
    assert_eq!(person.company_id.as_deref(), Some("2c90aa17-5c1d-4e7a-9b3f-2a6d8e0faa17"));
    assert_eq!(person.position, Some(-17.0));
    assert_eq!((person.created_at, person.deleted_at), (date("2026-09-14T08:21:37.305Z"), None));
    let by = person.created_by.unwrap();
    assert_eq!((by.source, by.name.as_deref(), by.context), (Some(ActorSource::Manual), Some("Théo Blanc"), None));
    assert!(person.extra.is_empty());
}

#[test]
fn a_person_in_the_documented_form() {
    for body in ["19-documented-person-created.json", "19b-documented-person-created-pretty.json"] {
        let person: Person = event(body).record().unwrap();
        assert_eq!(person.name.unwrap().to_string(), "Alice Doe");
        assert_eq!(person.emails.unwrap().primary_email.as_deref(), Some("alice@example.com"));
        assert_eq!(person.created_by.unwrap().user_id.as_deref(), Some("user_123"));
        assert_eq!(person.created_at, date("2025-02-10T15:30:45Z"));
        assert!(person.extra.is_empty());
    }
    let person: Person = event("19c-documented-person-updated-extra.json").record().unwrap();
    assert_eq!((person.city.as_deref(), person.company_id.as_deref()), (Some("Nantes"), Some("cmp_9")));
    assert_eq!(person.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["phone", "score", "tags"]);

    // A real person may have a custom field with such a name.
    let body = r#"{"eventName":"person.created","record":{"name":{"firstName":"Ida"},"firstName":"custom"}}"#;
    let person: Person = WebhookEvent::from_stored(body).unwrap().record().unwrap();
    assert_eq!(person.name.unwrap().to_string(), "Ida");
    assert_eq!(person.extra.get("firstName").unwrap().as_str(), r#""custom""#);

    // A `name` or `emails` of another form stays as it is, and there is no second one.
    let body = r#"{"name":"a text","emails":"another","firstName":"Ida","email":"ida@example.com"}"#;
    let person: Person = serde_json::from_str(body).unwrap();
    assert_eq!((&person.name, &person.emails, person.extra.len()), (&None, &None, 4));
    assert_eq!(serde_json::from_str::<Person>(&serde_json::to_string(&person).unwrap()).unwrap(), person);
}

#[test]
fn a_company() {
    let company: Company = event("03-company-updated-strings.json").record().unwrap();
    assert_eq!((company.name.as_deref(), company.employees), (Some("Northwind Traders"), Some(240)));
    assert_eq!(company.annual_recurring_revenue.unwrap().to_string(), "1250000.00 EUR");
    let address = company.address.unwrap();
    assert_eq!((address.latitude, address.longitude, address.street3), (Some(47.218_371), Some(-1.553_621), None));
    assert_eq!(
        (company.ideal_customer_profile, company.created_by.unwrap().source),
        (Some(true), Some(ActorSource::Api))
    );

    let company: Company = event("04-company-created.json").record().unwrap();
    assert_eq!(company.annual_recurring_revenue.unwrap().to_string(), "9600.50 NOK");
    assert_eq!(company.address.unwrap().latitude, Some(60.397_076));
    let links = company.domain_name.unwrap();
    assert_eq!(links.primary_link_url.as_deref(), Some("https://fjordline.example"));
    assert_eq!(links.secondary_links[0].label.as_deref(), Some("Shop"));

    let company: Company = event("17-legacy-2024-company-create-pg_graphql.json").record().unwrap();
    assert_eq!(company.created_at, date("2024-08-23T17:39:11.60643Z"));
    assert!(company.domain_name.unwrap().secondary_links.is_empty());
    assert_eq!(company.annual_recurring_revenue.unwrap().to_string(), "");
    assert!(company.extra.get("people").is_some() && company.extra.get("__typename").is_some());
}

#[test]
fn an_opportunity() {
    for (body, stage, micros, text) in [
        ("06-opportunity-updated-stage.json", "CUSTOMER", Some(52_500_000_000), "52500.00 EUR"),
        ("06b-opportunity-updated-amount-string.json", "PROPOSAL", Some(52_500_500_000), "52500.50 EUR"),
        ("06c-opportunity-updated-amount-null.json", "MEETING", None, ""),
        ("26-opportunity-created-api-key.json", "NEW", Some(-1_500_000), "-1.50 USD"),
    ] {
        let deal: Opportunity = event(body).record().unwrap();
        let amount = deal.amount.unwrap();
        assert_eq!((deal.stage.as_deref(), amount.amount_micros), (Some(stage), micros));
        assert_eq!(amount.to_string(), text);
        assert_eq!(deal.close_date, date("2026-12-15T00:00:00Z"));
    }
    let old: Opportunity = event("18b-legacy-2024-dates.json").record().unwrap();
    assert_eq!((old.close_date, old.probability), (date("2024-12-24T00:00:00Z"), Some(10.0)));
    assert_eq!(old.created_at, date("2024-10-01T22:15:30.123456Z"));
    assert_eq!(old.updated_at, date("2024-10-02T06:00:00.111222Z"));
}

#[test]
fn a_task_a_note_and_a_workspace_member() {
    let task: Task = event("08-task-created-richtext.json").record().unwrap();
    assert_eq!((task.title.as_deref(), task.status.as_deref()), (Some("Call back about spare parts"), Some("TODO")));
    assert_eq!(task.due_at, date("2026-09-16T07:00:00Z"));
    let blocks: serde_json::Value = serde_json::from_str(&task.body_v2.unwrap().blocknote.unwrap()).unwrap();
    assert_eq!(blocks[0]["type"], "paragraph");

    let note: Note = event("10-note-created.json").record().unwrap();
    assert_eq!(note.title.as_deref(), Some("Visit in Nantes"));
    assert!(note.body_v2.unwrap().markdown.unwrap().starts_with("They like \"green\".\n"));

    let member: WorkspaceMember = event("11-workspaceMember-updated.json").record().unwrap();
    assert_eq!(member.name.unwrap().to_string(), "Théo Blanc");
    assert_eq!((member.time_zone.as_deref(), member.color_scheme.as_deref()), (Some("Europe/Paris"), Some("Dark")));
    assert_eq!(member.calendar_start_day, Some(1));
}

#[test]
fn null_is_the_same_as_absent() {
    for body in ["12c-person-created-null-everything.json", "12d-person-destroyed-empty-record.json"] {
        let event = event(body);
        assert_eq!(event.record::<Person>().unwrap(), Person::default());
        assert!(event.extra().is_empty());
    }
    let person: Person = event("12b-person-created-null-composites.json").record().unwrap();
    assert!(person.name.is_none() && person.emails.is_none() && person.updated_by.is_none());
    assert_eq!(person.created_by.unwrap().context.unwrap().as_str(), "{}");
}

#[test]
fn unknown_fields_and_fields_of_the_wrong_type_are_in_extra() {
    let event = event("23-person-updated-unknown-everywhere.json");
    assert_eq!(event.extra().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["deliveryAttempt", "region", "trace"]);
    assert!(event.object_metadata().unwrap().extra.get("namePlural").is_some());

    let person: Person = event.record().unwrap();
    assert_eq!((person.position, person.extra.get("position").unwrap().as_str()), (None, r#""first""#));
    let names: Vec<_> = person.extra.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["birthday", "favouriteColours", "newComposite", "position", "shoeSize"]);
    assert_eq!(person.name.unwrap().extra.get("middleName").unwrap().as_str(), r#""Odile""#);
    assert!(person.emails.unwrap().extra.get("verified").is_some());
    assert!(person.phones.unwrap().additional_phones[0].extra.get("label").is_some());
    let by = person.created_by.unwrap();
    assert_eq!(by.source, Some(ActorSource::from("TELEPATHY")));
    assert!(by.extra.get("via").is_some());
}

#[test]
fn text_is_exactly_that_of_twenty() {
    let person: Person = event("25-person-updated-unicode.json").record().unwrap();
    let name = person.name.unwrap();
    assert_eq!(name.first_name.as_deref(), Some("Zoë 👩🏽\u{200d}🚀"));
    assert_eq!(name.last_name.as_deref(), Some("李 Ó'Brien\u{2028}\u{feff}"));
    assert_eq!(person.job_title.as_deref(), Some("Chef d’équipe \\ \"R&D\"\t\0\u{1f}"));
    assert_eq!(person.extra.get("größe").unwrap().as_str(), r#""XL""#);
}

#[test]
fn money_is_never_rounded() {
    let amount = |micros: &str| {
        let json = format!(r#"{{"amountMicros":{micros},"currencyCode":"EUR"}}"#);
        serde_json::from_str::<Currency>(&json).unwrap()
    };
    for (micros, decimal) in [
        ("0", "0.00"),
        ("1", "0.000001"),
        ("-1", "-0.000001"),
        ("10000", "0.01"),
        ("48000500000", "48000.50"),
        ("48000123400", "48000.1234"),
        ("\"1250000000000\"", "1250000.00"),
        ("\"1250000000000.00\"", "1250000.00"),
        ("9007199254740993", "9007199254.740993"),
        ("9223372036854775807", "9223372036854.775807"),
        ("-9223372036854775808", "-9223372036854.775808"),
    ] {
        assert_eq!(amount(micros).decimal().as_deref(), Some(decimal), "{micros}");
    }
    for odd in ["1e3", "\"\"", "\"12 EUR\"", "true", "[1]"] {
        let amount = amount(odd);
        assert_eq!((amount.amount_micros, amount.to_string().as_str()), (None, ""), "{odd}");
        assert_eq!(amount.extra.get("amountMicros").unwrap().as_str(), odd);
    }
}
