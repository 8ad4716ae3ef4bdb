//! Random changes, losses, faults and kills: in the end every record's last state was handled, and none twice but around a kill.
//!
//! `CATCHUP_CHANGES` and `CATCHUP_SEEDS` set how many; CI's long run has 20,000 changes and a hundred seeds.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use twenty_webhook_catchup::{CatchUp, CatchUpError};
use twenty_webhook_core::{Clock, Secret, UnixMillis, Verifier, jiff};
use twenty_webhook_inbox::{Inbox, SqliteStore, WebhookEvent, Worker};
use twenty_webhook_testing::{ApiFailure, FakeTwenty, RateLimit, TestClock};

const SECRET: &str = "s3cret";
const OBJECTS: [&str; 5] = ["person", "company", "opportunity", "task", "note"];
const FAULTS: [ApiFailure; 6] = [
    ApiFailure::Status(500),
    ApiFailure::Status(429),
    ApiFailure::Hang,
    ApiFailure::CutOff,
    ApiFailure::NotJson,
    ApiFailure::Endless,
];

#[test]
fn nothing_is_missed_and_nothing_is_handled_twice() {
    let from_env = |name: &str, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (changes, seeds) = (from_env("CATCHUP_CHANGES", 400), from_env("CATCHUP_SEEDS", 10));
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        // A storm mostly waits for leases of killed processes to run out.
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                    runtime.unwrap().block_on(storm(seed, changes));
                }
            });
        }
    });
}

async fn storm(seed: u64, changes: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let clock = TestClock::default();
    let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().seed(seed).start();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let skew = random.i64(-180_000..=180_000);
    twenty.set_faults(|faults| faults.clock_skew_millis = skew);
    let webhook = twenty.add_webhook("http://127.0.0.1:1", ["*.*"], SECRET);
    twenty.create("person", json!({}));
    twenty.wait_until_idle(Duration::from_secs(60));
    // A real API key says it itself.
    let call: Value = serde_json::from_slice(&twenty.ledger().calls[0].body).unwrap();
    let workspace = call["workspaceId"].as_str().unwrap().to_owned();
    let place = Place { dir: dir.path().to_owned(), url: twenty.url(), key: twenty.api_key().to_owned(), workspace };
    place.show(&clock);

    let mut records = Records::default();
    for object in OBJECTS {
        let ids = twenty.create_many(object, (0..100).map(|_| json!({})));
        records.live.extend(ids.into_iter().map(|id| (object, id)));
    }
    clock.advance(Duration::from_secs(3600));
    let inbox = place.open().await;
    assert!(place.catch_up().run_once(&inbox).await.unwrap().is_ok());
    drop(inbox);
    let initially = twenty.changes();

    twenty.set_faults(|faults| {
        // A third is over it.
        faults.rate_limit = Some(RateLimit::per_minute(95));
        faults.rerun_every = 7;
        faults.reorder = 4;
    });
    let mut child = Some(place.start(&webhook).await);
    for number in 0..changes {
        if number % 10 == 0 {
            // Runs and deliveries are under way while records change.
            twenty.wait_until_idle(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_millis(random.u64(0..12))).await;
        }
        match (&child, random.u64(0..changes)) {
            (None, ..40) => child = Some(place.start(&webhook).await),
            // SIGKILL.
            (Some(_), ..5) => child = None,
            (_, 40..50) => twenty.fail_next((0..random.usize(1..4)).map(|_| FAULTS[random.usize(..FAULTS.len())])),
            (_, 50..53) => twenty.set_faults(|faults| faults.repeat_cursor = !faults.repeat_cursor),
            (_, 53..56) => twenty.set_faults(|faults| faults.page_info_in_data = !faults.page_info_in_data),
            _ => {}
        }
        clock.advance(Duration::from_millis(random.u64(1..2_000)));
        place.show(&clock);
        records.change(&twenty, &mut random);
    }
    drop(child);
    twenty.wait_until_idle(Duration::from_secs(60));
    twenty.set_faults(|faults| faults.repeat_cursor = false);
    clock.advance(Duration::from_secs(3600));
    place.show(&clock);
    place.last_run().await;
    check(seed, &place, &twenty, initially);
}

/// What there is to change.
#[derive(Default)]
struct Records {
    live: Vec<(&'static str, String)>,
    trash: BTreeSet<String>,
}

impl Records {
    fn change(&mut self, twenty: &FakeTwenty, random: &mut fastrand::Rng) {
        let object = OBJECTS[random.usize(..OBJECTS.len())];
        let of_object: Vec<_> = self.live.iter().filter(|(of, _)| *of == object).map(|(_, id)| id.clone()).collect();
        let mut some = |most: usize| -> Vec<String> {
            let ids: HashSet<_> =
                (0..random.usize(1..=most)).map(|_| of_object[random.usize(..of_object.len())].clone()).collect();
            ids.into_iter().collect()
        };
        let many = some(12);
        let one = some(1);
        let city = json!({ "city": random.u64(..).to_string() });
        match random.u8(0..100) {
            0..20 => {
                let ids = twenty.create_many(object, (0..random.usize(1..4)).map(|_| json!({})));
                self.live.extend(ids.into_iter().map(|id| (object, id)));
            }
            20..30 => {
                twenty.delete(object, &one);
                self.trash.extend(one);
            }
            30..36 => {
                let restored: Vec<_> = many.into_iter().filter(|id| self.trash.remove(id)).collect();
                twenty.restore(object, &restored);
            }
            36..39 if of_object.len() > 40 => {
                twenty.destroy(object, &many);
                self.live.retain(|(_, id)| !many.contains(id));
            }
            39..50 => twenty.update(object, &many, city),
            _ => twenty.update(object, &one, city),
        }
    }
}

struct Place {
    dir: PathBuf,
    url: String,
    key: String,
    workspace: String,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn show(&self, clock: &TestClock) {
        fs::write(self.path("clock"), clock.now().as_millis().to_string()).unwrap();
    }

    async fn open(&self) -> Inbox<SqliteStore> {
        Inbox::sqlite(self.path("inbox.db")).await.unwrap()
    }

    fn catch_up(&self) -> CatchUp {
        CatchUp::new(&self.url, &self.key)
            .unwrap()
            .objects(OBJECTS)
            .workspace_id(&self.workspace)
            .every(Duration::from_secs(1))
            .lease(Duration::from_secs(1))
            .requests_per_minute(1_000_000)
            .retry_wait(Duration::from_millis(5))
            .request_timeout(Duration::from_secs(2))
            .max_body(4 << 20)
            // Ids that only deliveries told of count, too: the key reads all records.
            .accept_destroys()
            .destroyed_every(Duration::from_secs(600))
    }

    async fn start(&self, webhook: &str) -> Process {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "storm::as_child", "--ignored", "--nocapture", "--test-threads=1"])
            .envs([("DIR", self.dir.to_str().unwrap()), ("URL", &self.url), ("KEY", &self.key)])
            .env("WORKSPACE", &self.workspace)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let port = stdout.lines().find_map(|line| Some(line.unwrap().split_once("port ")?.1.to_owned()));
        let target = json!({ "targetUrl": format!("http://127.0.0.1:{}/", port.expect("it starts")) });
        let url = format!("{}/rest/webhooks/{webhook}", self.url);
        loop {
            let request = reqwest::Client::new().patch(&url).bearer_auth(&self.key).timeout(Duration::from_secs(1));
            let request = request.header("content-type", "application/json").body(target.to_string());
            // One of the faults may be in its way.
            if request.send().await.is_ok_and(|response| response.status() == 200) {
                break;
            }
        }
        Process(child)
    }

    /// With all that was left over by the processes that were killed.
    async fn last_run(&self) {
        let inbox = self.open().await;
        // The first may go on with a pass that saw records before they were destroyed.
        let mut runs = 0;
        while runs < 2 {
            match self.catch_up().destroyed_every(Duration::ZERO).run_once(&inbox).await {
                Err(CatchUpError::Busy) => tokio::time::sleep(Duration::from_millis(100)).await,
                Ok(report) if report.is_ok() => runs += 1,
                // A fault that no run has met yet.
                Ok(_)
                | Err(CatchUpError::Unanswered { .. } | CatchUpError::RateLimited(_) | CatchUpError::TooLarge(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        let counted = inbox.clone();
        let empty = async move {
            loop {
                let counts = counted.counts().await.unwrap();
                if counts.pending + counts.running + counts.retrying == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let drained = worker(&inbox, &self.dir).run_until(empty);
        tokio::time::timeout(Duration::from_secs(120), drained).await.expect("all is handled");
    }
}

/// Killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Writes down what it handles: process, object, id, action and date.
fn worker(inbox: &Inbox<SqliteStore>, dir: &Path) -> Worker<SqliteStore> {
    let log = Arc::new(OpenOptions::new().create(true).append(true).open(dir.join("handled")).unwrap());
    let handler = move |event: WebhookEvent| {
        let log = Arc::clone(&log);
        async move {
            let date = event.record_updated_at().map_or(-1, jiff::Timestamp::as_millisecond);
            let (object, action, id) = (event.object(), event.action(), event.record_id().unwrap_or_default());
            let line = format!("{} {object} {id} {action} {date}\n", std::process::id());
            (&*log).write_all(line.as_bytes())
        }
    };
    inbox
        .worker("storm", handler)
        .skip_stale()
        .recover_after(Duration::from_secs(3))
        .poll_every(Duration::from_millis(50))
}

#[test]
#[ignore = "run by the other tests"]
fn as_child() {
    let place = Place {
        dir: env::var("DIR").unwrap().into(),
        url: env::var("URL").unwrap(),
        key: env::var("KEY").unwrap(),
        workspace: env::var("WORKSPACE").unwrap(),
    };
    let filter = tracing_subscriber::EnvFilter::new(env::var("LOG").unwrap_or("off".into()));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let inbox = place.open().await;
        let (path, last) = (place.path("clock"), AtomicU64::new(0));
        let clock = Clock::new(move || {
            // Written in the middle it is empty, or too short.
            let shown =
                fs::read_to_string(&path).ok().filter(|text| text.len() == 13).and_then(|text| text.parse().ok());
            UnixMillis::from_millis(last.fetch_max(shown.unwrap_or(0), Ordering::SeqCst).max(shown.unwrap_or(0)))
        });
        let verifier = Verifier::new(Secret::new(SECRET).unwrap()).clock(clock);
        let app = axum::Router::new().route("/", inbox.receiver(verifier));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("port {}", listener.local_addr().unwrap().port());
        tokio::join!(
            async { axum::serve(listener, app).await.unwrap() },
            worker(&inbox, &place.dir).run_until(std::future::pending::<()>()),
            place.catch_up().run_until(&inbox, std::future::pending::<()>()),
        );
    });
}

/// The state, the action and the process.
type Call = (i64, String, u32);

fn check(seed: u64, place: &Place, twenty: &FakeTwenty, initially: usize) {
    let log = fs::read_to_string(place.path("handled")).unwrap();
    let mut handled: HashMap<(String, String), Vec<Call>> = HashMap::new();
    for line in log.lines() {
        let [process, object, id, action, date] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if object.starts_with("metadata.") {
            continue;
        }
        let state = if action == "destroyed" { i64::MAX } else { date.parse().unwrap() };
        let of_record = handled.entry((object.to_owned(), id.to_owned())).or_default();
        of_record.push((state, action.to_owned(), process.parse().unwrap()));
    }
    for (record, calls) in &handled {
        for pair in calls.windows(2) {
            assert!(pair[0].0 <= pair[1].0, "seed {seed}: {record:?} went back: {calls:?}");
            assert!(pair[0].0 < pair[1].0 || pair[0].2 != pair[1].2, "seed {seed}: {record:?} twice: {calls:?}");
        }
    }
    let ledger = twenty.ledger();
    let changed: HashSet<_> =
        ledger.changes[initially..].iter().map(|change| (change.object.clone(), change.record_id.clone())).collect();
    let known: HashSet<_> =
        ledger.changes[..initially].iter().map(|change| (change.object.clone(), change.record_id.clone())).collect();
    let mut is_live = HashSet::new();
    for object in OBJECTS {
        for record in twenty.records(object) {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap().to_owned();
            let (record, date) = ((object.to_owned(), text("id")), text("updatedAt"));
            is_live.insert(record.clone());
            if !changed.contains(&record) {
                continue;
            }
            let date: jiff::Timestamp = date.parse().unwrap();
            let last = handled.get(&record).and_then(|calls| calls.last()).map(|(state, ..)| *state);
            assert_eq!(
                last,
                Some(date.as_millisecond()),
                "seed {seed}: the last state of {record:?} was missed: {:?}",
                handled.get(&record)
            );
        }
    }
    let gone = changed.iter().filter(|record| !is_live.contains(*record));
    for record in gone.filter(|record| known.contains(*record) || handled.contains_key(*record)) {
        let last = handled.get(record).and_then(|calls| calls.last()).map(|(state, ..)| *state);
        assert_eq!(
            last,
            Some(i64::MAX),
            "seed {seed}: {record:?} was not seen as destroyed: {:?}",
            handled.get(record)
        );
    }
    let sent = ledger.calls.iter().filter(|call| call.was_accepted()).count();
    let repeated: usize =
        handled.values().map(|calls| calls.windows(2).filter(|pair| pair[0].0 == pair[1].0).count()).sum();
    let processes: HashSet<_> = handled.values().flatten().map(|(.., process)| *process).collect();
    eprintln!(
        "seed {seed}: {} changes, {sent} deliveries accepted of {}, {} events handled by {} processes, {repeated} repeated around kills",
        ledger.changes.len(),
        ledger.calls.len(),
        log.lines().count(),
        processes.len(),
    );
}
