//! Text from an event neither forges a line of the log nor controls a terminal, and no payload is logged.

use twenty_webhook_inbox::WebhookEvent;

use crate::support::{Log, Place, Running, until, verified};

#[tokio::test]
async fn nothing_from_a_payload_reaches_the_log_raw() {
    const HOSTILE: [char; 8] = ['\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}'];
    let place = Place::new();
    let inbox = place.open().await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let hostile: String = HOSTILE.iter().flat_map(|char| ['x', *char, '\n']).collect();
    let body = serde_json::json!({
        "eventName": format!("per{hostile}son.created"), "workspaceId": hostile,
        "record": { "id": format!("id{hostile}"), "name": "canary-of-the-record" },
    });
    inbox.store(&verified(body.to_string())).await.unwrap();
    let fail = move |event: WebhookEvent| async move { Err(std::io::Error::other(event.name().to_string())) };
    let running = Running::start(inbox.worker("test", fail).attempts(1));
    until(&inbox, |counts| counts.dead == 1).await;
    running.stop().await;

    let text = log.text();
    assert!(text.contains("a dead letter"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    for char in HOSTILE {
        assert!(!text.contains(char), "{}: {text}", char.escape_unicode());
    }
    assert!(text.lines().all(|line| line.starts_with("20")), "a line was forged: {text}");
}
