//! Random changes, losses, faults and kills. In the end the last state of every record was handled, and none twice except around a kill.
//!
//! - `CATCHUP_CHANGES`: how many records change in one storm. The default is 1,000.
//! - `CATCHUP_SEEDS` and `CATCHUP_POSTGRES_SEEDS`: how many storms there are on each database. The defaults are 4 and 1.
//! - `CATCHUP_FIRST_SEED`: the first one, to see one again. A seed fixes the changes and the faults, not the order in which processes run.

mod check;
mod faults;
mod process;
mod records;

use std::env;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twenty_webhook_testing::{FakeTwenty, RateLimit, TestClock};

use self::check::check;
use self::faults::{Fault, Schedule};
use self::process::{Place, Process};
use self::records::Records;
use crate::postgres::Server;

const SECRET: &str = "s3cret";
const OBJECTS: [&str; 5] = ["person", "company", "opportunity", "task", "note"];
/// How many storms there are at a time. A storm often waits: for leases of killed processes, and for requests to be repeated.
const AT_A_TIME: u64 = 4;

#[test]
fn nothing_is_missed_and_nothing_is_handled_twice() {
    storms(number("CATCHUP_SEEDS", 4), |_| None);
}

#[test]
fn nor_on_postgres() {
    let seeds = number("CATCHUP_POSTGRES_SEEDS", 1);
    if seeds == 0 {
        return;
    }
    if !std::path::Path::new("/usr/lib/postgresql").is_dir() {
        let why = "SKIPPED: Debian's postgresql is not installed";
        assert!(env::var_os("CI_MUST_RUN_ALL").is_none(), "{why}");
        // Past the test harness, which captures what macros print.
        let _ = writeln!(std::io::stderr(), "{why}");
        return;
    }
    let server = Server::start();
    storms(seeds, |seed| Some((server.url(), format!("storm_{seed}"))));
}

fn storms(seeds: u64, postgres: impl Fn(u64) -> Option<(String, String)> + Sync) {
    let (changes, first) = (number("CATCHUP_CHANGES", 1_000), number("CATCHUP_FIRST_SEED", 0));
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(seeds) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                    runtime.unwrap().block_on(storm(seed, changes, postgres(seed)));
                }
            });
        }
    });
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

async fn storm(seed: u64, changes: u64, postgres: Option<(String, String)>) {
    let began = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let clock = TestClock::default();
    let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().seed(seed).start();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // Up to three minutes ahead of the receiver's clock, or behind it.
    let skew = random.i64(60_000..=180_000) * if seed.is_multiple_of(2) { 1 } else { -1 };
    twenty.set_faults(|faults| faults.clock_skew_millis = skew);
    let webhook = twenty.add_webhook("http://127.0.0.1:1", ["*.*"], SECRET);
    twenty.create("person", json!({}));
    twenty.idle().await;
    // A real API key says it itself.
    let call: Value = serde_json::from_slice(&twenty.ledger().calls[0].body).unwrap();
    let workspace = call["workspaceId"].as_str().unwrap().to_owned();
    let (url, key) = (twenty.url(), twenty.api_key().to_owned());
    let place = Place { dir: dir.path().to_owned(), url, key, workspace, postgres };
    place.show(&clock);

    let mut records = Records::create(&twenty);
    clock.advance(Duration::from_secs(3600));
    place.first_run().await;
    let initially = twenty.changes();

    twenty.set_faults(|faults| {
        // About a third is over it.
        faults.rate_limit = Some(RateLimit::per_minute(80));
        faults.rerun_every = 7;
        faults.reorder = 4;
    });
    let mut schedule = Schedule::new(changes, &mut random);
    let mut child = Some(place.start(&webhook).await);
    let mut repeated = None;
    for number in 0_u64.. {
        let done = (twenty.changes() - initially) as u64;
        while let Some(fault) = schedule.next(done) {
            match fault {
                // SIGKILL.
                Fault::Kill => drop(child.take().expect("it runs")),
                Fault::Start => child = Some(place.start(&webhook).await),
                Fault::Down => twenty.set_faults(|faults| faults.receiver_down = true),
                Fault::Up => twenty.set_faults(|faults| faults.receiver_down = false),
                Fault::Fail(failure) => twenty.fail_next([failure]),
                Fault::NoRetryAfter(is_left_out) => {
                    twenty.set_faults(|faults| faults.no_retry_after = is_left_out);
                }
                Fault::PageInfoInData(is_inside) => {
                    twenty.set_faults(|faults| faults.page_info_in_data = is_inside);
                }
                Fault::RepeatCursor => {
                    // A state is known by its time, and the last change may have been of one of these records.
                    clock.advance(Duration::from_millis(1));
                    place.show(&clock);
                    // So that there are several pages to read.
                    records.import(&twenty, &mut random);
                    twenty.set_faults(|faults| faults.repeat_cursor = true);
                    repeated.get_or_insert(twenty.repeated_cursors());
                }
            }
        }
        // Until a run has met it.
        if repeated.is_some_and(|before| twenty.repeated_cursors() > before) {
            twenty.set_faults(|faults| faults.repeat_cursor = false);
            repeated = None;
        }
        if done >= changes {
            break;
        }
        if number.is_multiple_of(10) {
            // Runs and deliveries are under way while records change.
            twenty.idle().await;
            tokio::time::sleep(Duration::from_millis(random.u64(0..12))).await;
        }
        clock.advance(Duration::from_millis(random.u64(1..2_000)));
        place.show(&clock);
        records.change(&twenty, &mut random);
    }
    if let Some(before) = repeated {
        wait_for(|| twenty.repeated_cursors() > before).await;
        twenty.set_faults(|faults| faults.repeat_cursor = false);
    }
    twenty.idle().await;
    drop::<Option<Process>>(child);
    clock.advance(Duration::from_secs(3600));
    place.show(&clock);
    place.last_run().await;
    let happened = check(seed, &place, &twenty, initially);
    schedule.assert_happened(&twenty, &happened, skew);
    eprintln!("seed {seed}, {} s: {happened}", began.elapsed().as_secs());
}

async fn wait_for(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes true");
}
