//! Which handler runs for which item, and which tables panic.

use std::future::{Ready, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};
use twenty_webhook_core::records::{Opportunity, Person};
use twenty_webhook_core::{EventRouter, RouteError, WebhookEvent};

/// What the handlers were called with, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn push(&self, call: String) {
        self.0.lock().unwrap().push(call);
    }
}

/// A handler without a record. It records `label` and the event's name.
fn note(label: &'static str) -> impl Fn(Calls, WebhookEvent) -> Ready<()> {
    move |calls, event| {
        calls.push(format!("{label} {}", event.name()));
        ready(())
    }
}

/// A handler with a record. It records `label` and the record's id.
fn note_record(label: &'static str) -> impl Fn(Calls, WebhookEvent, Value) -> Ready<()> {
    move |calls, _, record| {
        calls.push(format!("{label} {}", record["id"].as_str().unwrap_or("-")));
        ready(())
    }
}

fn event(body: &Value) -> WebhookEvent {
    WebhookEvent::from_stored(body.to_string()).unwrap()
}

fn named(name: &str) -> WebhookEvent {
    event(&json!({ "eventName": name, "record": { "id": "42" } }))
}

/// A batch of opportunities: each with an id, and the fields that changed.
fn batch(items: &[(&str, &[&str])]) -> WebhookEvent {
    let items: Vec<_> =
        items.iter().map(|(id, fields)| json!({ "record": { "id": id }, "updatedFields": fields })).collect();
    event(&json!({ "eventName": "opportunity.updated", "items": items, "batchSize": items.len() }))
}

/// The calls that the handlers of `routes` record for `event`.
async fn calls(
    routes: impl FnOnce(EventRouter<Calls>) -> EventRouter<Calls>,
    event: WebhookEvent,
) -> (Vec<String>, Result<(), RouteError>) {
    let calls = Calls::default();
    let result = routes(EventRouter::with_state(calls.clone())).handle(event).await;
    let calls = std::mem::take(&mut *calls.0.lock().unwrap());
    (calls, result)
}

fn table(events: EventRouter<Calls>) -> EventRouter<Calls> {
    events
        .on("person.created", note("exact"))
        .on("person.*", note("person"))
        .on("*.destroyed", note("destroyed"))
        .on("metadata.*.*", note("data model"))
        .fallback(note("fallback"))
}

#[tokio::test]
async fn only_the_first_route_that_matches_gets_the_event() {
    for (name, call) in [
        ("person.created", "exact person.created"),
        ("create.person", "exact person.created"),
        ("person.updated", "person person.updated"),
        ("person.destroyed", "person person.destroyed"),
        ("rocket.destroyed", "destroyed rocket.destroyed"),
        ("metadata.fieldMetadata.updated", "data model metadata.fieldMetadata.updated"),
        ("rocket.created", "fallback rocket.created"),
        ("workflowRun.updated", "fallback workflowRun.updated"),
    ] {
        let (calls, result) = calls(table, named(name)).await;
        result.unwrap();
        assert_eq!(calls, [call]);
    }
}

#[tokio::test]
async fn without_a_fallback_an_event_that_no_route_matches_is_ignored() {
    let (calls, result) = calls(|events| events.on("person.*", note("person")), named("company.created")).await;
    result.unwrap();
    assert_eq!(calls, [""; 0]);
}

#[tokio::test]
async fn each_item_of_a_batch_is_routed_by_its_own_changed_fields() {
    let routes = |events: EventRouter<Calls>| {
        events
            .on("opportunity.updated", note_record("stage"))
            .when_changed(["stage"])
            .on("opportunity.updated", note_record("other"))
    };
    let event = batch(&[("1", &["stage", "amount"]), ("2", &["amount"]), ("3", &[]), ("4", &["stage"])]);
    let (calls, result) = calls(routes, event).await;
    result.unwrap();
    assert_eq!(calls, ["stage 1", "other 2", "other 3", "stage 4"]);
}

#[tokio::test]
async fn a_handler_without_a_record_gets_a_batch_once() {
    let routes = |events: EventRouter<Calls>| {
        events.on("opportunity.updated", note_record("stage")).when_changed(["stage"]).fallback(note("rest"))
    };
    let event = batch(&[("1", &["amount"]), ("2", &["stage"]), ("3", &["amount"])]);
    let (calls, result) = calls(routes, event).await;
    result.unwrap();
    assert_eq!(calls, ["rest opportunity.updated", "stage 2"]);
}

#[tokio::test]
async fn a_batch_of_many_items_takes_linear_time() {
    let items: Vec<(&str, &[&str])> = vec![("1", &["amount"]); 50_000];
    let (calls, result) = calls(|events| events.on("opportunity.*", note("once")), batch(&items)).await;
    result.unwrap();
    assert_eq!(calls.len(), 1);
}

#[tokio::test]
async fn a_handler_with_a_record_gets_no_change_of_the_data_model() {
    let routes =
        |events: EventRouter<Calls>| events.on("*.*", note_record("record")).on("metadata.*.*", note("data model"));
    let (calls, result) = calls(routes, named("metadata.view.created")).await;
    result.unwrap();
    assert_eq!(calls, ["data model metadata.view.created"]);
}

#[tokio::test]
async fn a_record_is_decoded_into_the_type_of_the_handlers_argument() {
    #[derive(Deserialize)]
    struct Rocket {
        fuel: String,
    }
    let calls = Calls::default();
    let seen = calls.clone();
    let router = EventRouter::new()
        .on("person.*", |_: WebhookEvent, person: Person| async move {
            assert_eq!(person.id.as_deref(), Some("42"));
        })
        .on("rocket.*", move |_: WebhookEvent, rocket: Rocket| {
            seen.push(rocket.fuel);
            ready(Ok::<(), io::Error>(()))
        });
    router.handle(named("person.created")).await.unwrap();
    router.handle(event(&json!({ "eventName": "rocket.created", "record": { "fuel": "oxygen" } }))).await.unwrap();
    assert_eq!(*calls.0.lock().unwrap(), ["oxygen"]);
}

#[tokio::test]
async fn a_record_that_does_not_decode_names_route_and_field_and_no_value() {
    #[derive(Deserialize)]
    struct Rocket {
        #[expect(dead_code, reason = "it does not decode")]
        thrust: u32,
    }
    let router = EventRouter::new().on("rocket.*", |_: WebhookEvent, _: Rocket| async {});
    let record = json!({ "thrust": "a secret" });
    let error = router.handle(event(&json!({ "eventName": "rocket.updated", "record": record }))).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("route `rocket.*`: ") && text.contains("at `thrust`"), "{text}");
    assert!(!format!("{text} {error:?}").contains("a secret"));
    assert_eq!((error.route(), error.item(), error.decode_error().unwrap().path()), ("rocket.*", None, "thrust"));
    assert!(std::error::Error::source(&error).is_none() && error.into_handler_error().is_none());
}

#[tokio::test]
async fn an_error_ends_the_event_at_that_item_and_names_the_route() {
    let routes = |events: EventRouter<Calls>| {
        events.on("opportunity.updated", |calls: Calls, _: WebhookEvent, deal: Opportunity| {
            let id = deal.id.unwrap_or_default();
            calls.push(id.clone());
            ready(if id == "2" { Err(io::Error::other("the disk is full")) } else { Ok(()) })
        })
    };
    let (calls, result) = calls(routes, batch(&[("1", &[]), ("2", &[]), ("3", &[])])).await;
    assert_eq!(calls, ["1", "2"]);
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "route `opportunity.updated`, item 1 of the batch: the handler failed");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is full");
    assert_eq!((error.item(), error.decode_error()), (Some(1), None));
    assert!(error.into_handler_error().unwrap().downcast::<io::Error>().is_ok());
}

#[tokio::test]
async fn a_handler_may_return_any_error() {
    let router = EventRouter::new()
        .on("person.created", async |_: WebhookEvent| Err("a text"))
        .on("person.updated", async |_: WebhookEvent| Err(format!("a text with {}", 1)))
        .on("person.deleted", async |_: WebhookEvent| {
            Err::<(), Box<dyn std::error::Error + Send + Sync>>("boxed".into())
        });
    for name in ["person.created", "person.updated", "person.deleted"] {
        assert_eq!(router.handle(named(name)).await.unwrap_err().route(), name);
    }
}

#[test]
fn the_future_is_send_and_outlives_the_router() {
    fn is_send<T: Send + 'static>(value: T) -> T {
        value
    }
    drop(is_send(EventRouter::new().on("person.*", any).handle(named("person.created"))));
}

#[test]
fn a_clone_that_gets_a_route_leaves_the_original_as_it_was() {
    let one = EventRouter::new().on("person.created", any);
    let two = one.clone().on("company.created", any);
    assert_eq!((one.patterns().len(), two.patterns().len()), (1, 2));
}

#[test]
fn patterns_lists_the_subscriptions_to_make() {
    let router = EventRouter::new()
        .on("person.created", any_record)
        .on("opportunity.updated", any)
        .when_changed(["stage"])
        .on("opportunity.updated", any)
        .on("workflowRun.updated", any)
        .on("person.*", any)
        .on("workflowRun.*", any)
        .on("metadata.view.created", any)
        .on("metadata.*.*", any)
        .fallback(any);
    let patterns: Vec<_> = router.patterns().iter().map(ToString::to_string).collect();
    // `person.*` includes `person.created`. `workflowRun.*` does not include `workflowRun.updated`, which Twenty sends by its name only.
    assert_eq!(patterns, ["opportunity.updated", "workflowRun.updated", "person.*", "workflowRun.*", "metadata.*.*"]);
}

#[test]
fn debug_shows_the_table() {
    let router =
        EventRouter::new().on("opportunity.updated", any_record).when_changed(["stage", "amount"]).fallback(any);
    let table = format!("{router:?}");
    assert_eq!(
        table,
        "EventRouter [opportunity.updated (stage, amount) -> core_tests::router::any_record, fallback -> core_tests::router::any]"
    );
}

async fn any(_: WebhookEvent) {}
async fn any_record(_: WebhookEvent, _: Value) {}

/// Asserts that a mistake panics with this message, at its line.
macro_rules! assert_panics {
    ($expected:literal, $routes:expr) => {{
        let line = line!();
        let (message, at) = panic_of(|| drop($routes));
        assert!(message.contains($expected), "{message}");
        assert_eq!((at.0.as_str(), at.1), (file!(), line), "{message}");
    }};
}

/// The message and the location of a panic.
fn panic_of(build: impl FnOnce()) -> (String, (String, u32)) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let location = seen.clone();
    let thread = std::thread::current().id();
    let before = Arc::new(std::panic::take_hook());
    let others = before.clone();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            *location.lock().unwrap() = info.location().map(|at| (at.file().to_owned(), at.line()));
        } else {
            others(info);
        }
    }));
    let panic = catch_unwind(AssertUnwindSafe(build)).expect_err("the table panics");
    std::panic::set_hook(Box::new(move |info| before(info)));
    let at = seen.lock().unwrap().take().unwrap();
    (panic.downcast_ref::<String>().cloned().unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned()), at)
}

#[test]
#[rustfmt::skip]
fn mistakes_panic_at_their_line() {
    let routes = EventRouter::new;
    assert_panics!("`person` is not an event pattern: a pattern is", routes().on("person", any));
    assert_panics!("actions are in the past tense", routes().on("person.create", any));
    // Shadowed, by the same pattern or a wider one.
    assert_panics!("the route `person.created` (core_tests::router::any) can never run: `person.created -> core_tests::router::any`, registered before it", routes().on("person.created", any).on("person.created", any));
    assert_panics!("can never run: `person.* ->", routes().on("person.*", any).on("person.created", any_record));
    assert_panics!("can never run: `*.created ->", routes().on("*.created", any).on("person.created", any));
    assert_panics!("can never run: `*.* ->", routes().on("*.*", any).on("metadata.view.created", any));
    assert_panics!("can never run: `metadata.*.created ->", routes().on("metadata.*.created", any).on("metadata.view.created", any));
    assert_panics!("can never run: `fallback ->", routes().fallback(any).on("person.created", any));
    assert_panics!("the route `fallback` (core_tests::router::any) can never run", routes().fallback(any).fallback(any));
    assert_panics!("the route `fallback` (core_tests::router::any) can never run", routes().on("*.*", any).fallback(any));
    // The conditions add up.
    assert_panics!("can never run", routes().on("a.updated", any).when_changed(["x"]).on("a.updated", any).when_changed(["y"]).on("a.*", any).when_changed(["z"]).on("a.updated", any).when_changed(["y", "x"]));
    assert_panics!("can never run", routes().on("a.updated", any).on("a.updated", any));
    // A condition that never holds.
    assert_panics!("Twenty lists no changed fields on `created`", routes().on("person.created", any).when_changed(["name"]));
    assert_panics!("Twenty lists no changed fields on `destroyed`", routes().on("*.destroyed", any).when_changed(["name"]));
    assert_panics!("names no field", routes().on("person.updated", any).when_changed([""; 0]));
    assert_panics!("there is none", routes().when_changed(["name"]));
    assert_panics!("the fallback takes no condition", routes().fallback(any).when_changed(["name"]));
    // A change of the data model has no record.
    assert_panics!("core_tests::router::any_record takes one", routes().on("metadata.*.*", any_record));
}

#[test]
fn a_route_for_the_rest_of_an_earlier_route_is_no_mistake() {
    let _ = EventRouter::new()
        .on("person.created", any)
        .on("person.updated", any)
        .when_changed(["name"])
        .on("person.updated", any)
        .when_changed(["name", "emails"])
        .on("person.*", any)
        .on("*.created", any)
        .on("*.*", any_record)
        .on("metadata.*.created", any)
        .on("metadata.view.*", any)
        .on("*.*", any);
    let _ = EventRouter::new().on("metadata.*.*", any).on("*.*", any_record).fallback(any);
    let _ = EventRouter::new()
        .on("metadata.*.*", any)
        .on("*.*", any_record)
        .when_changed(["x"])
        .on("*.*", any)
        .when_changed(["x"]);
}
