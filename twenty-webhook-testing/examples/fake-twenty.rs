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
use std::net::SocketAddr;
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

const USAGE: &str = r#"Usage: fake-twenty [ADDRESS]

A Twenty with records in memory, webhooks, and a part of the REST API. It
listens on ADDRESS, which is IP:PORT: 127.0.0.1:4000 by default; with port 0, on
a free one. It prints its URL and an API key as a line of JSON, and ends when
stdin is closed.

Each line on stdin is a command, and the answer is a line of JSON:
  {"faults": {"rerun_every": 3}}  sets all faults; those not named get their default
  {"fail_next": [429, 500]}       fails the next requests to the API so
  "idle"                          answers when no job waits or runs
  "ledger"                        all changes, and all calls with their outcome

The names of the faults are the fields of the struct `Faults`."#;

fn main() -> Result<(), Box<dyn Error>> {
    let address = match address(std::env::args().nth(1).as_deref()) {
        Ok(Some(address)) => address,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(());
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            std::process::exit(2);
        }
    };
    let twenty = FakeTwenty::builder().listen(address).start();
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

/// Where to listen; `None` if help is asked for.
fn address(argument: Option<&str>) -> Result<Option<SocketAddr>, String> {
    match argument {
        None => Ok(Some(([127, 0, 0, 1], 4000).into())),
        Some("--help" | "-h" | "help") => Ok(None),
        Some(text) => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(format!("fake-twenty: {text:?} is no address: write IP:PORT, as 127.0.0.1:4000")),
        },
    }
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

#[cfg(test)]
mod tests {
    use super::{Command, USAGE, address};

    #[test]
    fn an_argument_is_an_address_or_asks_for_help() {
        assert_eq!(address(None), address(Some("127.0.0.1:4000")));
        assert_eq!(address(Some("--help")), Ok(None));
        assert!(address(Some("localhost")).is_err_and(|error| error.contains("write IP:PORT")));
    }

    #[test]
    fn the_usage_shows_each_command_as_it_is_read() {
        let lines = USAGE.lines().filter_map(|line| line.strip_prefix("  "));
        let commands = lines.map(|line| line.split("  ").next().unwrap_or_default());
        let read = commands.map(|text| serde_json::from_str::<Command>(text).is_ok());
        assert_eq!(read.collect::<Vec<_>>(), [true; 4]);
    }
}
