//! Each fault, and its entries in the ledger.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use twenty_webhook_core::UnixMillis;
use twenty_webhook_testing::{Call, Emission, FakeTwenty, Outcome, RateLimit, TestClock, Version};

use crate::support::{Receiver, request};

async fn start(clock: &TestClock) -> (Receiver, FakeTwenty, String) {
    let receiver = Receiver::start().await;
    let twenty = FakeTwenty::builder().clock(clock.clock()).start();
    let webhook = twenty.add_webhook(receiver.at("/204"), ["*.*"], "s3cret");
    (receiver, twenty, webhook)
}

#[tokio::test]
async fn the_rate_limit_drops_calls_until_the_next_window() {
    let clock = TestClock::default();
    let (receiver, twenty, webhook) = start(&clock).await;
    twenty.set_faults(|faults| faults.rate_limit = Some(RateLimit::per_minute(3)));
    twenty.create_many("person", (0..5).map(|_| json!({})));
    twenty.idle().await;
    assert_eq!(receiver.arrived().len(), 3);
    clock.advance(Duration::from_secs(60));
    twenty.create("person", json!({}));
    twenty.idle().await;
    assert_eq!(receiver.arrived().len(), 4);
    let ledger = twenty.ledger();
    assert_eq!(ledger.calls.iter().filter(|call| call.outcome == Outcome::RateLimited).count(), 2);
    assert_eq!((ledger.accepted(&webhook).len(), ledger.missed(&webhook).len()), (4, 2));
}

#[tokio::test]
async fn the_rate_limit_drops_the_calls_of_the_second_webhook_first() {
    let clock = TestClock::default();
    let (_receiver, twenty, first) = start(&clock).await;
    let second = twenty.add_webhook("http://127.0.0.1:1/", ["*.*"], "s3cret");
    twenty.set_faults(|faults| faults.rate_limit = Some(RateLimit::per_minute(3)));
    twenty.create_many("person", (0..3).map(|_| json!({})));
    twenty.idle().await;
    let ledger = twenty.ledger();
    assert!(ledger.calls_to(&first).all(Call::was_accepted));
    assert!(ledger.calls_to(&second).all(|call| !call.was_sent()));
}

#[tokio::test]
async fn the_lag_shows_in_the_three_times_of_a_delivery() {
    let clock = TestClock::default();
    let (receiver, twenty, _) = start(&clock).await;
    twenty.set_faults(|faults| faults.lag = Duration::from_secs(60));
    twenty.create("person", json!({}));
    let changed_at = clock.now();
    clock.advance(Duration::from_secs(60));
    // The fan-out is due now, the call later.
    while twenty.ledger().calls.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        clock.advance(Duration::from_secs(10));
    }
    let arrived = &receiver.arrived()[0];
    let event = arrived.event();
    let date = |text: &str| text.parse::<twenty_webhook_core::jiff::Timestamp>().unwrap().as_millisecond();
    let updated_at = date(event.record_value().unwrap()["updatedAt"].as_str().unwrap());
    let event_date = date(event.event_date_text().unwrap());
    let sent_at: i64 = arrived.headers["x-twenty-webhook-timestamp"].to_str().unwrap().parse().unwrap();
    assert_eq!(UnixMillis::from_millis(updated_at.unsigned_abs()), changed_at);
    assert!(event_date - updated_at >= 60_000 && sent_at - event_date >= 60_000);
}

#[tokio::test]
async fn a_paused_queue_sends_nothing_until_it_resumes() {
    let clock = TestClock::default();
    let (receiver, twenty, _) = start(&clock).await;
    twenty.pause();
    twenty.create("person", json!({}));
    clock.advance(Duration::from_secs(3600));
    assert!(receiver.arrived().is_empty());
    twenty.resume();
    twenty.idle().await;
    assert_eq!(receiver.arrived()[0].headers["x-twenty-webhook-timestamp"], clock.now().to_string());
}

#[tokio::test]
async fn reordering_sends_all_events_in_another_order() {
    let clock = TestClock::default();
    let (receiver, twenty, webhook) = start(&clock).await;
    twenty.set_faults(|faults| faults.reorder = 10);
    twenty.pause();
    let ids: Vec<_> = (0..30).map(|_| twenty.create("person", json!({}))).collect();
    twenty.resume();
    twenty.idle().await;
    let arrived: Vec<_> =
        receiver.arrived().iter().map(|arrived| arrived.event().record_id().unwrap().to_owned()).collect();
    assert_ne!(arrived, ids);
    assert_eq!(arrived.iter().collect::<HashSet<_>>(), ids.iter().collect());
    assert!(twenty.ledger().missed(&webhook).is_empty());
}

#[tokio::test]
async fn a_repeated_call_sends_the_same_body_with_a_new_signature() {
    let clock = TestClock::default();
    let (receiver, twenty, webhook) = start(&clock).await;
    twenty.set_faults(|faults| faults.rerun_every = 2);
    twenty.create("person", json!({}));
    twenty.idle().await;
    twenty.create("company", json!({}));
    twenty.idle().await;
    let arrived = receiver.arrived();
    assert_eq!(receiver.names(), ["person.created", "company.created", "company.created"]);
    assert_eq!(arrived[1].body, arrived[2].body);
    assert_ne!(arrived[1].headers["x-twenty-webhook-nonce"], arrived[2].headers["x-twenty-webhook-nonce"]);
    let ledger = twenty.ledger();
    assert_eq!(ledger.calls.iter().filter(|call| call.is_rerun).count(), 1);
    assert_eq!(ledger.accepted(&webhook).len(), 2);
}

#[tokio::test]
async fn a_repeated_fan_out_has_another_event_date() {
    let clock = TestClock::default();
    let (receiver, twenty, _) = start(&clock).await;
    twenty.set_faults(|faults| (faults.rerun_fan_out_every, faults.lag) = (1, Duration::from_millis(1)));
    twenty.create("person", json!({}));
    while receiver.arrived().len() < 2 {
        clock.advance(Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let [first, second] = &receiver.arrived()[..] else { panic!("two deliveries") };
    assert_ne!(first.event().event_date(), second.event().event_date());
    assert_eq!(first.event().record_id(), second.event().record_id());
}

#[tokio::test]
async fn all_but_the_oldest_version_send_one_destroyed_for_many_records() {
    for (version, expected) in [(Version::V2_43, 1), (Version::V2_21, 1), (Version::V0_42, 5)] {
        let receiver = Receiver::start().await;
        let twenty = FakeTwenty::builder().version(version).start();
        let webhook = twenty.add_webhook(receiver.at("/204"), ["*.destroyed"], "s3cret");
        let ids = twenty.create_many("person", (0..5).map(|_| json!({})));
        twenty.destroy("person", &ids);
        twenty.idle().await;
        assert_eq!(receiver.arrived().len(), expected, "{version:?}");
        assert!(twenty.records("person").is_empty());
        let ledger = twenty.ledger();
        let hidden = ledger.changes.iter().filter(|change| change.emission == Emission::OnlyFirstOfMany).count();
        assert_eq!(hidden, 5 - expected);
        assert_eq!(ledger.calls_to(&webhook).count(), expected);
    }
}

#[tokio::test]
async fn deletes_restores_and_private_records_may_emit_no_event() {
    let clock = TestClock::default();
    let (receiver, twenty, _) = start(&clock).await;
    twenty.set_faults(|faults| (faults.no_deleted, faults.no_restored) = (true, true));
    let id = twenty.create("person", json!({}));
    twenty.delete("person", &[&id]);
    twenty.restore("person", &[&id]);
    twenty.make_private("person", &id);
    twenty.update("person", &[&id], json!({ "city": "Osaka" }));
    twenty.idle().await;
    assert_eq!(receiver.names(), ["person.created"]);
    let emissions: Vec<_> = twenty.ledger().changes.iter().map(|change| change.emission).collect();
    assert_eq!(emissions, [Emission::Emitted, Emission::NoSuchEvent, Emission::NoSuchEvent, Emission::Private]);
}

#[tokio::test]
async fn a_receiver_that_is_down_and_a_private_address_get_no_delivery() {
    let clock = TestClock::default();
    let (receiver, twenty, webhook) = start(&clock).await;
    twenty.set_faults(|faults| faults.receiver_down = true);
    twenty.create("person", json!({}));
    twenty.idle().await;
    twenty.set_faults(|faults| (faults.receiver_down, faults.refuse_private_addresses) = (false, true));
    let named = twenty.add_webhook("http://localhost:1/", ["*.*"], "s3cret");
    twenty.create("person", json!({}));
    twenty.idle().await;
    assert!(receiver.arrived().is_empty());
    let ledger = twenty.ledger();
    let outcomes: Vec<_> = ledger.calls_to(&webhook).map(|call| &call.outcome).collect();
    assert!(matches!(outcomes[..], [Outcome::Failed(_), Outcome::PrivateAddress]), "{outcomes:?}");
    assert!(ledger.calls_to(&named).all(|call| call.outcome == Outcome::PrivateAddress));
}

#[tokio::test]
async fn after_a_rotation_the_old_secret_signs_until_the_cache_expires() {
    let clock = TestClock::default();
    let (receiver, twenty, webhook) = start(&clock).await;
    twenty.set_faults(|faults| faults.settings_cache = Duration::from_secs(10));
    let path = format!("/rest/webhooks/{webhook}");
    let answer = request(&twenty, twenty.api_key(), "PATCH", &path, json!({ "secret": "new" })).await;
    assert_eq!((answer.status, &answer.body["secret"]), (200, &json!("new")));
    twenty.create("person", json!({}));
    twenty.idle().await;
    clock.advance(Duration::from_secs(10));
    twenty.create("person", json!({}));
    twenty.idle().await;
    let signed_with: Vec<_> = receiver
        .arrived()
        .iter()
        .map(|arrived| {
            let timestamp = arrived.headers["x-twenty-webhook-timestamp"].as_bytes();
            let is = |secret| {
                crate::requests::openssl(secret, timestamp, &arrived.body)
                    == arrived.headers["x-twenty-webhook-signature"]
            };
            if is("s3cret") {
                "old"
            } else if is("new") {
                "new"
            } else {
                "neither"
            }
        })
        .collect();
    assert_eq!(signed_with, ["old", "new"]);
}

#[tokio::test]
async fn a_skewed_clock_shows_in_dates_and_timestamps() {
    let clock = TestClock::default();
    let (receiver, twenty, _) = start(&clock).await;
    twenty.set_faults(|faults| faults.clock_skew_millis = -180_000);
    twenty.create("person", json!({}));
    twenty.idle().await;
    let behind = clock.now().as_millis() - 180_000;
    let arrived = &receiver.arrived()[0];
    assert_eq!(arrived.headers["x-twenty-webhook-timestamp"], behind.to_string());
    assert_eq!(arrived.event().event_date_text(), Some("2026-09-14T08:59:12.004Z"));
    let answer = crate::support::get(&twenty, "/rest/people").await;
    assert_eq!(answer.headers["date"], "Mon, 14 Sep 2026 08:59:12 GMT");
}
