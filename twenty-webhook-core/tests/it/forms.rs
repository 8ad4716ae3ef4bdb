//! The differences between versions of Twenty, form by form.

use serde_json::json;
use twenty_webhook_core::records::{Company, Currency, File, FullName, Note, Opportunity, Person, Record, Task};
use twenty_webhook_core::{Action, EventName, Payload, RecordError, WebhookEvent};

fn event(body: &serde_json::Value) -> WebhookEvent {
    WebhookEvent::from_stored(body.to_string()).unwrap()
}

#[test]
fn a_record_that_is_null_or_missing_is_empty() {
    // Twenty 0.42 sends null for deleted and destroyed records.
    for body in [
        json!({"eventName": "person.destroyed", "record": null}),
        json!({"eventName": "person.deleted", "objectMetadata": {"nameSingular": "person"}, "record": null}),
        json!({"eventName": "person.deleted"}),
    ] {
        let event = event(&body);
        assert!(matches!(event.payload(), Payload::Record { record, .. } if record.as_str() == "{}"));
        assert_eq!((event.record_id(), event.object()), (None, "person"));
        assert_eq!(event.record_of::<Person>().unwrap(), Some(Person::default()));
        assert_eq!(event.items().count(), 1);
        assert!(event.extra().is_empty());
    }
}

#[test]
fn a_record_may_be_partial() {
    // Twenty 1.8 sends the fields that the caller of the API selected.
    let id_only = event(&json!({"eventName": "person.deleted", "record": {"id": "1"}}));
    let person: Person = id_only.record().unwrap();
    assert_eq!(person, Person::build(|person| person.id = Some("1".into())));

    let amount_only =
        event(&json!({"eventName": "opportunity.deleted", "record": {"amount": {"amountMicros": "5000000"}}}));
    let amount = amount_only.record::<Opportunity>().unwrap().amount.unwrap();
    assert_eq!((amount.amount_micros, amount.currency_code.as_deref()), (Some(5_000_000), None));
    assert_eq!(amount.to_string(), "5.00");

    // A record may lack the changed fields.
    let item = event(&json!({"eventName": "person.updated", "record": {"id": "1"}, "updatedFields": ["jobTitle"]}));
    let item = item.items().next().unwrap();
    assert!(item.changed("jobTitle") && item.record::<Person>().unwrap().job_title.is_none());
}

#[test]
fn lists_that_are_null_are_empty() {
    // As Twenty 1.8 sends them.
    let record = json!({
        "emails": {"primaryEmail": "a@example.com", "additionalEmails": null},
        "phones": {"additionalPhones": null},
        "linkedinLink": {"secondaryLinks": null},
        "avatarFile": null,
    });
    let person: Person = event(&json!({"eventName": "person.created", "record": record})).record().unwrap();
    assert!(person.emails.as_ref().unwrap().additional_emails.is_empty());
    assert!(person.phones.as_ref().unwrap().additional_phones.is_empty());
    assert!(person.linkedin_link.as_ref().unwrap().secondary_links.is_empty() && person.avatar_file.is_empty());
    for extra in [person.emails.unwrap().extra, person.phones.unwrap().extra, person.linkedin_link.unwrap().extra] {
        assert!(extra.is_empty());
    }
    assert!(person.extra.is_empty());
}

#[test]
fn labels_may_be_null() {
    let links = json!({"primaryLinkLabel": null, "secondaryLinks": [{"label": null, "url": "https://a.example"}]});
    let company: Company =
        event(&json!({"eventName": "company.created", "record": {"domainName": links}})).record().unwrap();
    let links = company.domain_name.unwrap();
    assert_eq!(links.primary_link_label, None);
    assert_eq!(
        (&links.secondary_links[0].label, links.secondary_links[0].url.as_deref()),
        (&None, Some("https://a.example"))
    );
    assert!(links.extra.is_empty() && links.secondary_links[0].extra.is_empty());
}

#[test]
fn texts_of_tasks_and_notes_in_0_42() {
    let record = json!({"title": "Call", "body": "Call back"});
    let task: Task = event(&json!({"eventName": "task.created", "record": record})).record().unwrap();
    let note: Note = event(&json!({"eventName": "note.created", "record": record})).record().unwrap();
    assert_eq!((task.body.as_deref(), task.body_v2), (Some("Call back"), None));
    assert_eq!((note.body.as_deref(), note.body_v2), (Some("Call back"), None));
    assert!(task.extra.is_empty() && note.extra.is_empty());
}

#[test]
fn files() {
    let file = json!([{"fileId": "f1", "label": "Inès.png", "extension": "png", "url": "https://a.example/f1"}, {"fileId": "f2"}]);
    let person: Person =
        event(&json!({"eventName": "person.created", "record": {"avatarFile": file}})).record().unwrap();
    assert_eq!(person.avatar_file[0].label.as_deref(), Some("Inès.png"));
    assert_eq!(person.avatar_file[1], File::build(|file| file.file_id = Some("f2".into())));
}

#[test]
fn fractions_of_a_millionth_are_kept() {
    // Strings in versions before 2.21, which rounds instead.
    for (micros, decimal) in [
        (r#""0.5""#, "0.0000005"),
        (r#""-0.5""#, "-0.0000005"),
        (r#""1234567.25""#, "1.23456725"),
        (r#""48000500000.10""#, "48000.5000001"),
        (r#""10000000.000""#, "10.00"),
        ("0.5", "0.0000005"),
        (r#""99999999999999999999999999""#, "99999999999999999999.999999"),
    ] {
        let body = format!(
            r#"{{"eventName":"opportunity.created","record":{{"amount":{{"amountMicros":{micros},"currencyCode":"EUR"}}}}}}"#
        );
        let deal: Opportunity = WebhookEvent::from_stored(body).unwrap().record().unwrap();
        let amount = deal.amount.unwrap();
        assert_eq!(amount.decimal().as_deref(), Some(decimal), "{micros}");
        assert_eq!(amount.to_string(), format!("{decimal} EUR"));
        match amount.amount_micros {
            Some(whole) => assert_eq!((whole, micros), (10_000_000, r#""10000000.000""#)),
            None => assert_eq!(amount.extra.get("amountMicros").unwrap().as_str(), micros),
        }
    }
}

#[test]
fn each_record_of_a_batch_has_its_own_changes() {
    let batch = event(&json!({"eventName": "opportunity.updated", "items": [
        {"record": {"id": "1", "stage": "WON"}, "updatedFields": ["stage"]},
        {"record": {"id": "2", "name": "x"}, "updatedFields": ["name", "amount"]},
        {"record": {"id": "3"}},
    ]}));
    assert!(batch.changed("stage") && batch.changed("amount"));
    let changes: Vec<_> = batch
        .items()
        .map(|item| {
            (
                item.record_id().unwrap(),
                item.changed("stage"),
                item.changed("name"),
                item.updated_fields().map(<[_]>::len),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [("1".into(), true, false, Some(1)), ("2".into(), false, true, Some(2)), ("3".into(), false, false, None)]
    );
    let won: Vec<Opportunity> = batch
        .items()
        .filter(|item| item.changed("stage"))
        .filter_map(|item| item.record_of().transpose())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(won.iter().map(|deal| deal.id.as_deref()).collect::<Vec<_>>(), [Some("1")]);
    assert!(batch.items().all(|item| item.record_of::<Person>().unwrap().is_none()));
    assert_eq!(batch.items().map(|item| item.raw_record().as_str().len()).collect::<Vec<_>>(), [24, 21, 10]);
}

#[test]
fn one_record_is_the_only_item() {
    let one = event(&json!({"eventName": "person.updated", "record": {"id": "1"}, "updatedFields": ["name"]}));
    let [item] = one.items().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((item.object(), item.record_id().as_deref(), item.changed("name")), ("person", Some("1"), true));
    assert_eq!(item.updated_fields(), one.updated_fields());
    let metadata = event(&json!({"eventName": "metadata.view.updated", "event": {"recordId": "1"}}));
    assert_eq!(metadata.items().count(), 0);
}

#[test]
fn a_record_has_the_type_of_its_object_only() {
    struct Cases<'a>(&'a WebhookEvent);
    impl Cases<'_> {
        fn is<T: Record>(&self) -> Result<bool, RecordError> {
            self.0.record_of::<T>().map(|record| record.is_some())
        }
    }
    let person = event(&json!({"eventName": "person.updated", "record": {"id": "1"}}));
    assert_eq!((Cases(&person).is::<Person>(), Cases(&person).is::<Company>()), (Ok(true), Ok(false)));
    let metadata = event(&json!({"eventName": "metadata.person.updated", "event": {"recordId": "1"}}));
    assert_eq!(Cases(&metadata).is::<Person>(), Ok(false));
    let batch = event(&json!({"eventName": "person.updated", "items": [{"record": {}}, {"record": {}}]}));
    assert!(matches!(Cases(&batch).is::<Person>(), Err(RecordError::Batch { items: 2, .. })));
    assert_eq!(Cases(&batch).is::<Company>(), Ok(false));
    // `objectMetadata` decides the object, whatever the name of the event.
    let renamed =
        event(&json!({"eventName": "people.updated", "objectMetadata": {"nameSingular": "person"}, "record": {}}));
    assert_eq!(Cases(&renamed).is::<Person>(), Ok(true));
    assert_eq!(<Person as Record>::OBJECT, Person::OBJECT);
}

#[test]
fn records_can_be_built_and_are_written_as_twenty_writes_them() {
    let person = Person::build(|person| {
        person.id = Some("1".into());
        person.name = Some(FullName::build(|name| name.first_name = Some("Inès".into())));
        person.updated_at = Some("2026-09-14T08:21:37.5Z".parse().unwrap());
        // The form of 2024.
        person.created_at = Some("2024-08-23T17:39:11.60643+00:00".parse().unwrap());
        person.position = Some(-17.0);
        person.extra.insert("shoeSize", json!(43.5));
        person.extra.insert("city", json!({"not": "a text"}));
        person.extra.insert("shoeSize", json!(44));
    });
    let written = json!({
        "id": "1", "name": {"firstName": "Inès"}, "updatedAt": "2026-09-14T08:21:37.500Z", "createdAt": "2024-08-23T17:39:11.60643Z", "position": -17.0, "shoeSize": 44,
        "city": {"not": "a text"},
    });
    assert_eq!(serde_json::to_value(&person).unwrap(), written);
    assert_eq!(serde_json::from_value::<Person>(written).unwrap(), person);
    assert_eq!(serde_json::to_string(&person.extra).unwrap(), r#"{"city":{"not":"a text"},"shoeSize":44}"#);
    assert_eq!(serde_json::to_string(person.extra.get("shoeSize").unwrap()).unwrap(), "44");

    let amount = Currency::build(|amount| amount.amount_micros = Some(1_500_000));
    assert_eq!(
        (amount.to_string().as_str(), serde_json::to_string(&amount).unwrap().as_str()),
        ("1.50", r#"{"amountMicros":1500000}"#)
    );
}

#[test]
fn actions_and_names_compare_as_text() {
    let archived: Action = "archived".parse().unwrap();
    assert!(archived == "archived" && archived != "created" && archived == *"archived");
    assert_eq!("created".parse::<Action>().unwrap(), Action::Created);
    assert_ne!("create".parse::<Action>().unwrap(), Action::Created, "only events of 2024 have that spelling");
    assert!(Action::Created == "created");

    let mut names = ["person.updated", "company.created", "create.person"].map(EventName::from);
    names.sort();
    assert_eq!(names.each_ref().map(AsRef::<str>::as_ref), ["company.created", "person.created", "person.updated"]);
}
