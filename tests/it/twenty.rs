//! Ten thousand changes in a Twenty that drops, repeats and reorders events. Each adapter handles each sent event exactly once, and the
//! dropped ones are known.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use axum::Router;
use axum::routing::post;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::net::TcpListener;
use twenty_webhook_actix::TwentyWebhookMiddleware;
use twenty_webhook_axum::TwentyWebhookLayer;
use twenty_webhook_core::{EventRouter, Secret, Verifier};
use twenty_webhook_testing::{Call, Emission, FakeTwenty, Ledger, RateLimit, Recorder, TestClock};

const SECRET: &str = "s3cret";
const CHANGES: usize = 10_000;

#[actix_web::test]
async fn each_sent_event_is_handled_once_and_each_dropped_one_is_known() {
    let clock = TestClock::default();
    let verifier = Verifier::new(Secret::new(SECRET).unwrap()).clock(clock.clock());
    let (on_axum, on_actix) = (Recorder::default(), Recorder::default());
    let (axum_url, actix_url) = (serve_axum(verifier.clone(), &on_axum).await, serve_actix(verifier, &on_actix));

    // Bare records keep twenty thousand deliveries small.
    let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().start();
    let to_axum = twenty.add_webhook(axum_url, ["*.*"], SECRET);
    let to_actix = twenty.add_webhook(actix_url, ["person.*", "company.*"], SECRET);
    twenty.set_faults(|faults| {
        // A minute has about six rounds of forty calls.
        faults.rate_limit = Some(RateLimit::per_minute(160));
        faults.rerun_every = 7;
        faults.rerun_fan_out_every = 11;
        faults.reorder = 8;
    });

    let mut random = SmallRng::seed_from_u64(15);
    let mut alive = Vec::new();
    while twenty.changes() < CHANGES {
        change_twenty_records(&twenty, &mut alive, &mut random);
        twenty.idle().await;
        clock.advance(Duration::from_secs(10));
    }

    let ledger = twenty.ledger();
    assert!(ledger.changes.len() >= CHANGES);
    for (webhook, handled) in [(&to_axum, &on_axum), (&to_actix, &on_actix)] {
        check(&ledger, webhook, handled);
    }
}

/// Creates, updates, deletes and destroys records, one or several in a call.
fn change_twenty_records(twenty: &FakeTwenty, alive: &mut Vec<String>, random: &mut SmallRng) {
    let mut remaining: usize = 20;
    while remaining > 0 {
        let many = random.random_range(1..=remaining);
        remaining -= many;
        if alive.len() < many || random.random_bool(0.4) {
            alive.extend(twenty.create_many("person", (0..many).map(|number| json!({ "city": number }))));
            continue;
        }
        let at = random.random_range(0..=alive.len() - many);
        match random.random_range(0..10) {
            0 => twenty.destroy("person", &alive.drain(at..at + many).collect::<Vec<_>>()),
            1 => twenty.delete("person", &alive[at..at + many]),
            _ => twenty.update("person", &alive[at..at + many], json!({ "city": random.random::<u32>() })),
        }
    }
}

fn check(ledger: &Ledger, webhook: &str, handled: &Recorder) {
    let sent: HashSet<_> = ledger.calls_to(webhook).filter(|call| call.was_sent()).map(Call::delivery_id).collect();
    let mut times = HashMap::new();
    for event in handled.events() {
        *times.entry(event.delivery_id()).or_insert(0) += 1;
    }
    assert_eq!(ledger.accepted(webhook), sent, "each sent event was accepted");
    assert_eq!(times.keys().copied().collect::<HashSet<_>>(), sent, "exactly the sent events were handled");
    assert!(times.values().all(|times| *times == 1), "once");

    // The faults did happen.
    let calls: Vec<_> = ledger.calls_to(webhook).collect();
    let dropped = calls.iter().filter(|call| !call.was_sent()).count();
    let again = calls.iter().filter(|call| call.was_sent() && call.is_rerun).count();
    let hidden = ledger.changes.iter().filter(|change| change.emission == Emission::OnlyFirstOfMany).count();
    assert!(
        sent.len() > 2000 && dropped > 500 && again > 200 && hidden > 50,
        "{} {dropped} {again} {hidden}",
        sent.len()
    );

    // Each change was handled or is reported as missed.
    let handled: HashSet<_> = calls.iter().filter(|call| call.was_sent()).map(|call| call.change).collect();
    assert_eq!(handled.len() + ledger.missed(webhook).len(), ledger.changes.len());
}

async fn serve_axum(verifier: Verifier, handled: &Recorder) -> String {
    let events = EventRouter::new().on("person.*", handled.handler());
    let app = Router::new().route("/webhooks/twenty", post(events).layer(TwentyWebhookLayer::new(verifier)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhooks/twenty", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    url
}

fn serve_actix(verifier: Verifier, handled: &Recorder) -> String {
    let events = EventRouter::new().on("person.*", handled.handler());
    let webhook = TwentyWebhookMiddleware::new(verifier);
    let app = move || {
        let route = web::post().to(events.clone());
        App::new().service(web::resource("/webhooks/twenty").wrap(webhook.clone()).route(route))
    };
    let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks/twenty", server.addrs()[0]);
    tokio::spawn(server.run());
    url
}
