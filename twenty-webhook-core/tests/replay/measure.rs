use std::time::Instant;
use std::{fs, hint};

use twenty_webhook_core::replay_contract::delivery;
use twenty_webhook_core::{Delivery, MemoryReplayGuard, ReplayGuard};

use crate::{MINUTE, ManualClock, START, at, id, now_or_never};

/// `cargo test -p twenty-webhook-core --release --test replay -- --ignored --nocapture measure`
#[test]
#[ignore = "prints measurements, and asserts nothing"]
#[expect(clippy::cast_precision_loss, reason = "a few million are exact")]
fn measure() {
    const LIVE: u64 = 1_000_000;
    let clock = ManualClock::at(START);
    // Capacity for all of them: entries are removed because they expire, not because the guard is full.
    let guard = MemoryReplayGuard::new().capacity(2_000_000).clock(clock.to_clock());
    // Each arrives at its own time, and a million of them fit in one window.
    let expires_at = |number: usize| START + number as u64 * 10 * MINUTE / LIVE + 10 * MINUTE;
    let deliveries = |range: std::ops::Range<usize>| -> Vec<Delivery> {
        range.map(|number| delivery(id(number as u64), at(expires_at(number)))).collect()
    };
    let run = |range: std::ops::Range<usize>, complete: bool| {
        let deliveries = deliveries(range);
        let (from, count) = (Instant::now(), deliveries.len());
        for delivery in &deliveries {
            clock.set(delivery.expires_at().as_millis() - 10 * MINUTE);
            let claim = now_or_never(guard.claim(delivery)).unwrap();
            if let (true, twenty_webhook_core::Claim::New(lease)) = (complete, hint::black_box(claim)) {
                now_or_never(guard.complete(lease)).unwrap();
            }
        }
        from.elapsed().as_secs_f64() * 1e9 / count as f64
    };
    let before = resident();
    let filling = run(0..1_000_000, true);
    let per_entry = (resident() - before) / guard.entry_count();
    println!(
        "{} entries, {per_entry} bytes resident each; {filling:.0} ns per claim + complete while filling",
        guard.entry_count()
    );
    let steady = run(1_000_000..2_500_000, false);
    println!("{steady:.0} ns per new claim with {} entries, which includes removing expired ones", guard.entry_count());
    let both = run(2_500_000..4_000_000, true);
    println!(
        "{both:.0} ns per claim + complete; {} bytes resident each of {}",
        (resident() - before) / guard.entry_count(),
        guard.entry_count()
    );
    let copies: Vec<Delivery> =
        (3_500_000..4_000_000_u64).map(|number| delivery(id(number), at(expires_at(3_999_999)))).collect();
    let from = Instant::now();
    for copy in &copies {
        let _ = hint::black_box(now_or_never(guard.claim(copy)).unwrap());
    }
    println!("{:.0} ns per copy", from.elapsed().as_secs_f64() * 1e9 / 500_000.0);
}

/// Bytes, on Linux.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}
