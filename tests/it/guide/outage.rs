use axum::Router;
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use twenty_webhook_axum::{EventRouter, Secret, TwentyWebhookLayer};
use twenty_webhook_testing::{FakeTwenty, RateLimit, Recorder};

#[tokio::test]
async fn dropped_events_never_arrive() {
    let (secret, handled) = (Secret::new("s3cret").unwrap(), Recorder::default());
    let events = EventRouter::new().on("person.*", handled.handler());
    let app = Router::new().route("/", post(events).layer(TwentyWebhookLayer::new(secret)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });

    let twenty = FakeTwenty::start();
    let webhook = twenty.add_webhook(url, ["person.*"], "s3cret");
    let ids = twenty.create_many("person", [json!({}), json!({}), json!({})]);
    twenty.idle().await;

    // The receiver is down, then Twenty is over its rate limit, then many records are destroyed in one call.
    twenty.set_faults(|faults| faults.receiver_down = true);
    twenty.update("person", &ids[..1], json!({ "city": "Nantes" }));
    twenty.idle().await;
    twenty.set_faults(|faults| (faults.receiver_down, faults.rate_limit) = (false, Some(RateLimit::per_minute(2))));
    twenty.update("person", &ids, json!({ "city": "Osaka" }));
    twenty.idle().await;
    twenty.set_faults(|faults| faults.rate_limit = None);
    twenty.destroy("person", &ids);
    twenty.idle().await;

    assert_eq!(handled.events().len(), 3 + 2 + 1);
    let ledger = twenty.ledger();
    let missed: Vec<_> = ledger.missed(&webhook).iter().map(|change| change.name.as_str()).collect();
    assert_eq!(missed, ["person.updated", "person.updated", "person.destroyed", "person.destroyed"]);
}
