//! The deliveries of `FakeTwenty`, and their order.

use std::time::Duration;

use serde_json::json;
use twenty_webhook_core::{Secret, Verifier};
use twenty_webhook_testing::{Emission, FakeTwenty, Outcome, TestClock, Version};

use crate::support::Receiver;

#[tokio::test]
async fn a_change_sends_a_signed_delivery() {
    let (clock, receiver) = (TestClock::default(), Receiver::start().await);
    let twenty = FakeTwenty::builder().clock(clock.clock()).start();
    let webhook = twenty.add_webhook(receiver.at("/204"), ["person.*"], "s3cret");
    let id = twenty.create("person", json!({ "city": "London" }));
    twenty.idle().await;

    let [arrived] = &receiver.arrived()[..] else { panic!("one delivery") };
    assert_eq!((arrived.method.as_str(), arrived.path.as_str()), ("POST", "/204"));
    assert_eq!(arrived.headers["content-type"], "application/json");
    assert!(arrived.headers["user-agent"].to_str().unwrap().starts_with("axios/"));
    assert_eq!(arrived.headers["x-twenty-webhook-nonce"].len(), 32);
    assert_eq!(arrived.headers["x-twenty-webhook-timestamp"], clock.now().to_string());

    let verifier = Verifier::new(Secret::new("s3cret").unwrap()).clock(clock.clock());
    let event = verifier.verify(&arrived.headers, arrived.body.clone()).unwrap().into_event().unwrap();
    assert_eq!((event.name().as_str(), event.record_id()), ("person.created", Some(id.as_str())));
    assert_eq!(event.webhook_id(), Some(webhook.as_str()));
    assert_eq!(event.target_url(), Some(receiver.at("/204").as_str()));
    assert_eq!(event.record_value().unwrap()["city"], "London");
    assert_eq!(event.updated_fields(), None);

    let ledger = twenty.ledger();
    assert_eq!((ledger.changes[0].name.as_str(), ledger.changes[0].emission), ("person.created", Emission::Emitted));
    assert_eq!(ledger.calls[0].outcome, Outcome::Answered(204));
    assert!(ledger.accepted(&webhook).contains(&event.delivery_id()));
    assert!(ledger.missed(&webhook).is_empty());
}

#[tokio::test]
async fn each_kind_of_change_sends_its_event_and_its_changed_fields() {
    let (clock, receiver) = (TestClock::default(), Receiver::start().await);
    let twenty = FakeTwenty::builder().clock(clock.clock()).start();
    let webhook = twenty.add_webhook(receiver.at("/204"), ["*.*"], "s3cret");
    let id = [twenty.create("opportunity", json!({ "stage": "NEW" }))];
    clock.advance(Duration::from_secs(1));
    twenty.update("opportunity", &id, json!({ "stage": "WON", "companyId": "7" }));
    twenty.update("opportunity", &id, json!({ "stage": "WON" }));
    twenty.delete("opportunity", &id);
    twenty.restore("opportunity", &id);
    twenty.destroy("opportunity", &id);
    twenty.change_data_model("fieldMetadata", "updated", "Launch date");
    twenty.idle().await;

    let seen: Vec<_> = receiver
        .arrived()
        .iter()
        .map(|arrived| (arrived.event().name().to_string(), arrived.event().updated_fields().map(<[String]>::to_vec)))
        .collect();
    let listed = |fields: &[&str]| Some(fields.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(
        seen,
        [
            ("opportunity.created".to_owned(), None),
            ("opportunity.updated".to_owned(), listed(&["company", "companyId", "stage"])),
            ("opportunity.deleted".to_owned(), listed(&["deletedAt"])),
            ("opportunity.restored".to_owned(), listed(&["deletedAt"])),
            ("opportunity.destroyed".to_owned(), None),
            ("metadata.fieldMetadata.updated".to_owned(), listed(&["label"])),
        ]
    );
    let updated = receiver.arrived()[1].event().record_value().unwrap();
    assert_eq!(updated["updatedAt"], "2026-09-14T09:02:13.004Z");
    assert!(receiver.arrived()[2].event().record_value().unwrap()["deletedAt"].is_string());
    assert!(twenty.records("opportunity").is_empty());
    let missed = twenty.ledger();
    let missed = missed.missed(&webhook);
    assert_eq!((missed.len(), missed[0].emission), (1, Emission::NothingChanged));
}

#[tokio::test]
async fn subscriptions_match_by_exact_membership() {
    let receiver = Receiver::start().await;
    let mut events = Vec::new();
    for (version, operation) in [
        (Version::V2_43, "person.created"),
        (Version::V2_43, "*.created"),
        (Version::V2_43, "person.*"),
        (Version::V2_43, "*.*"),
        (Version::V2_43, "workflowRun.updated"),
        (Version::V2_21, "*.updated"),
        (Version::V2_43, "metadata.*.*"),
        (Version::V2_43, "metadata.objectMetadata.created"),
    ] {
        let twenty = FakeTwenty::builder().version(version).start();
        let webhook = twenty.add_webhook(receiver.at("/204"), [operation], "s3cret");
        twenty.create("person", json!({}));
        let run = twenty.create("workflowRun", json!({}));
        twenty.update("workflowRun", &[run], json!({ "status": "DONE" }));
        twenty.add_object("rocket", "rockets");
        twenty.idle().await;
        let ledger = twenty.ledger();
        let names = ledger.calls_to(&webhook).map(|call| ledger.changes[call.change].name.clone());
        events.push((operation, names.collect::<Vec<_>>().join(" ")));
    }
    let everything = "person.created workflowRun.created metadata.objectMetadata.created";
    assert_eq!(
        events,
        [
            ("person.created", "person.created".to_owned()),
            ("*.created", "person.created workflowRun.created".to_owned()),
            ("person.*", "person.created".to_owned()),
            ("*.*", everything.to_owned()),
            ("workflowRun.updated", "workflowRun.updated".to_owned()),
            ("*.updated", "workflowRun.updated".to_owned()),
            ("metadata.*.*", "metadata.objectMetadata.created".to_owned()),
            ("metadata.objectMetadata.created", "metadata.objectMetadata.created".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_failed_call_is_not_retried_and_a_slow_one_times_out() {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::builder().call_timeout(Duration::from_secs(1)).start();
    let failing = twenty.add_webhook(receiver.at("/503"), ["*.*"], "s3cret");
    let hanging = twenty.add_webhook(receiver.at("/never"), ["*.*"], "s3cret");
    let closed = {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        twenty.add_webhook(format!("http://{port}/"), ["*.*"], "s3cret")
    };
    twenty.create("person", json!({}));
    twenty.idle().await;
    let ledger = twenty.ledger();
    let outcome = |webhook: &str| ledger.calls_to(webhook).map(|call| call.outcome.clone()).collect::<Vec<_>>();
    assert_eq!(outcome(&failing), [Outcome::Answered(503)]);
    assert_eq!(outcome(&hanging), [Outcome::TimedOut]);
    assert!(matches!(&outcome(&closed)[..], [Outcome::Failed(_)]));
    assert_eq!(receiver.arrived().len(), 2);
    assert_eq!(ledger.missed(&failing).len(), 1);
}

#[tokio::test]
async fn a_job_makes_twenty_concurrent_calls_and_jobs_run_one_after_another() {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::start();
    twenty.add_webhook(receiver.at("/held"), ["person.*"], "s3cret");
    twenty.create_many("person", (0..45).map(|_| json!({})));
    receiver.wait_for(20).await;
    receiver.release();
    twenty.idle().await;
    assert_eq!((receiver.arrived().len(), receiver.max_concurrency()), (45, 20));

    let one_by_one = Receiver::start().await;
    twenty.add_webhook(one_by_one.at("/held"), ["company.*"], "s3cret");
    for _ in 0..3 {
        twenty.create("company", json!({}));
    }
    one_by_one.wait_for(1).await;
    one_by_one.release();
    twenty.idle().await;
    assert_eq!((one_by_one.arrived().len(), one_by_one.max_concurrency()), (3, 1));
}

#[tokio::test]
async fn a_redirect_turns_the_post_into_a_get_except_307_and_308() {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::start();
    for status in ["301", "302", "303", "307", "308"] {
        twenty.add_webhook(receiver.at(&format!("/moved/{status}")), ["*.*"], "s3cret");
    }
    twenty.create("person", json!({}));
    twenty.idle().await;
    let mut ended: Vec<_> = receiver
        .arrived()
        .iter()
        .filter(|arrived| arrived.path == "/204")
        .map(|arrived| (arrived.method.to_string(), arrived.body.is_empty()))
        .collect();
    ended.sort();
    let get = ("GET".to_owned(), true);
    let post = ("POST".to_owned(), false);
    assert_eq!(ended, [get.clone(), get.clone(), get, post.clone(), post]);
    assert!(twenty.ledger().calls.iter().all(|call| call.outcome == Outcome::Answered(204)));
}

#[tokio::test]
async fn without_a_secret_a_delivery_is_unsigned() {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::start();
    twenty.add_webhook(receiver.at("/204"), ["*.*"], "");
    twenty.create("person", json!({}));
    twenty.idle().await;
    let arrived = receiver.arrived();
    assert!(arrived[0].headers.keys().all(|name| !name.as_str().starts_with("x-twenty")));
}

#[tokio::test]
async fn a_delivery_with_a_key_that_axios_drops_cannot_be_verified() {
    let (clock, receiver) = (TestClock::default(), Receiver::start().await);
    let twenty = FakeTwenty::builder().clock(clock.clock()).start();
    twenty.add_webhook(receiver.at("/204"), ["*.*"], "s3cret");
    twenty.create("workflowRun", json!({ "state": { "constructor": 1, "kept": [{ "constructor": 2 }] } }));
    twenty.idle().await;
    let arrived = &receiver.arrived()[0];
    assert_eq!(arrived.event().record_value().unwrap()["state"], json!({ "kept": [{ "constructor": 2 }] }));
    let verifier = Verifier::new(Secret::new("s3cret").unwrap()).clock(clock.clock());
    let rejected = verifier.verify(&arrived.headers, arrived.body.clone()).unwrap_err();
    assert_eq!(rejected.code(), "signature_mismatch");
}

#[test]
fn it_needs_no_runtime_and_stops_when_it_is_dropped() {
    let twenty = FakeTwenty::start();
    let address = twenty.url().replace("http://", "");
    twenty.add_webhook("http://127.0.0.1:1/", ["*.*"], "s3cret");
    twenty.create("person", json!({}));
    twenty.wait_until_idle(Duration::from_secs(10));
    assert_eq!(twenty.ledger().calls.len(), 1);
    drop(twenty);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(std::time::Instant::now() < deadline, "it still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[should_panic(expected = "there is no object `rocket`")]
fn an_unknown_object_panics() {
    FakeTwenty::start().create("rocket", json!({}));
}
