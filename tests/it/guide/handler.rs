use serde_json::json;
use twenty_webhook_core::records::Opportunity;
use twenty_webhook_core::{EventRouter, WebhookEvent};
use twenty_webhook_testing::event;

async fn won(_: WebhookEvent, deal: Opportunity) -> Result<(), String> {
    match deal.amount {
        Some(_) => Ok(()),
        None => Err("a deal that was won has no amount".to_owned()),
    }
}

#[tokio::test]
async fn a_deal_without_an_amount_is_an_error() {
    let events = EventRouter::new().on("opportunity.updated", won).when_changed(["stage"]);

    let deal = event("opportunity.updated").record(json!({ "stage": "WON" }));
    assert!(events.handle(deal.stored()).await.is_ok());

    let incomplete = deal.record(json!({ "amount": null }));
    assert!(events.handle(incomplete.stored()).await.is_err());

    let renamed = incomplete.changed(["name"]);
    assert!(events.handle(renamed.stored()).await.is_ok(), "not for this route");
}
