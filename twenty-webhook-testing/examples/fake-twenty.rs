//! `FakeTwenty` as a program, for tools and for tests that kill processes:
//!
//! ```sh
//! cargo run -p twenty-webhook-testing --example fake-twenty -- 127.0.0.1:4000
//! ```
//!
//! It prints its URL and an API key as a line of JSON. Change records and webhooks through its REST API. Each line on stdin is a command:
//! `{"faults": {"rerun_every": 3}}`, `{"fail_next": [429, 500]}`, `"idle"` or `"ledger"`. The answer is a line of JSON. It ends when
//! stdin is closed.

use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use twenty_webhook_testing::{ApiFailure, FakeTwenty, Faults};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    /// Sets all faults. Those that are not named get their default.
    Faults(Faults),
    /// Fails the next requests with these statuses.
    FailNext(Vec<u16>),
    /// Answers when no job waits or runs.
    Idle,
    Ledger,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let twenty = FakeTwenty::builder().listen(address.parse()?).start();
    print(&json!({ "url": twenty.url(), "api_key": twenty.api_key() }))?;
    for line in stdin().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(Command::Faults(faults)) => {
                twenty.set_faults(|current| *current = faults);
                json!("ok")
            }
            Ok(Command::FailNext(statuses)) => {
                twenty.fail_next(statuses.into_iter().map(ApiFailure::Status));
                json!("ok")
            }
            Ok(Command::Idle) => {
                twenty.wait_until_idle(Duration::from_secs(60));
                json!("ok")
            }
            Ok(Command::Ledger) => ledger(&twenty),
            Err(error) => json!({ "error": error.to_string() }),
        };
        print(&answer)?;
    }
    Ok(())
}

fn ledger(twenty: &FakeTwenty) -> Value {
    let ledger = twenty.ledger();
    let changes = ledger.changes.iter().map(|change| {
        json!({
            "name": change.name,
            "record_id": change.record_id,
            "updated_at": change.updated_at,
            "emission": format!("{:?}", change.emission),
        })
    });
    let calls = ledger.calls.iter().map(|call| {
        json!({
            "webhook_id": call.webhook_id,
            "change": call.change,
            "delivery_id": call.delivery_id().to_string(),
            "sent_at": call.sent_at.as_millis(),
            "is_rerun": call.is_rerun,
            "outcome": format!("{:?}", call.outcome),
        })
    });
    json!({ "changes": changes.collect::<Vec<_>>(), "calls": calls.collect::<Vec<_>>() })
}

fn print(line: &Value) -> std::io::Result<()> {
    let mut stdout = stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
