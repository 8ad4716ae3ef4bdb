//! Runs each example receiver under full load, with nine of ten requests valid, and counts every event at its handler:
//!
//! ```sh
//! cargo run --release -p soak              # a minute each
//! cargo run --release -p soak -- 0.2       # 0.2 minutes each
//! ```
//!
//! It fails unless the handlers got exactly the valid deliveries, each once, and memory and descriptors did not grow, except for the replay
//! guard's entries.
//!
//! It needs Linux, because it reads memory and descriptors from `/proc`.

mod client;
mod receiver;

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::receiver::Receiver;

/// The number of calls that Twenty makes concurrently.
const CLIENTS: usize = 20;

const MIB: usize = 1024 * 1024;

/// How much the receiver may grow in bytes, for buffers and memory that the allocator keeps.
const MEMORY: usize = 24 * MIB;

/// The bytes that the replay guard may use for each delivery.
const MEMORY_PER_DELIVERY: usize = 200;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let minutes: f64 = env::args().nth(1).map_or(Ok(1.0), |minutes| minutes.parse())?;
    let mut passed = true;
    for example in ["axum-receiver", "actix-receiver"] {
        passed &= soak(example, Duration::from_secs_f64(minutes * 60.0))?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn soak(example: &str, duration: Duration) -> Result<bool, Box<dyn Error>> {
    let receiver = Receiver::start(example)?;
    let warm_up = Client::new(receiver.addr, "warm-up").run(Instant::now() + Duration::from_millis(500));
    let (memory, descriptors) = (receiver.memory()?, receiver.descriptors()?);

    let end = Instant::now() + duration;
    let sent = thread::scope(|scope| {
        let start = |number| scope.spawn(move || Client::new(receiver.addr, &format!("{number}")).run(end));
        let clients: Vec<_> = (0..CLIENTS).map(start).collect();
        clients.into_iter().fold(warm_up, |all, client| all.merge(client.join().expect("no client panics")))
    });
    // Waits for the last connections to end.
    let deadline = Instant::now() + Duration::from_secs(15);
    while receiver.descriptors()? > descriptors && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(100));
    }
    let (memory_after, descriptors_after) = (receiver.memory()?, receiver.descriptors()?);
    let handled = receiver.stop()?;

    let lost = sent.valid.iter().filter(|id| !handled.contains_key(*id)).count();
    let twice = handled.values().filter(|times| **times > 1).count();
    let valid: HashSet<_> = sent.valid.iter().collect();
    let hostile_handled = handled.keys().filter(|id| !valid.contains(id)).count();
    let grown = memory_after.saturating_sub(memory);
    let allowed = MEMORY + MEMORY_PER_DELIVERY * sent.valid.len();

    let total = sent.valid.len() + sent.hostile;
    let per_second = total as u128 * 1000 / duration.as_millis();
    println!("{example}: {total} requests in {duration:.0?}, {per_second} per second");
    println!(
        "  valid:       {} sent, {} handled, {lost} lost, {twice} handled twice",
        sent.valid.len(),
        sent.valid.len() - lost
    );
    println!("  hostile:     {} sent, {hostile_handled} handled", sent.hostile);
    println!(
        "  answers:     {} unexpected{}",
        sent.wrong.len(),
        sent.wrong.first().map(|wrong| format!(", for example: {wrong}")).unwrap_or_default()
    );
    println!(
        "  memory:      {} MiB before, {} MiB after, {} MiB allowed",
        memory / MIB,
        memory_after / MIB,
        (memory + allowed) / MIB
    );
    println!("  descriptors: {descriptors} before, {descriptors_after} after");
    let passed = lost == 0
        && twice == 0
        && hostile_handled == 0
        && sent.wrong.is_empty()
        && !sent.valid.is_empty()
        && sent.hostile > 0
        && grown <= allowed
        && descriptors_after <= descriptors;
    println!("  {}", if passed { "passed" } else { "FAILED" });
    Ok(passed)
}
