//! How fast deliveries are stored and handled, and how that changes with what is stored. Prints the tables of docs/performance.md.
//! `cargo bench -p twenty-webhook-inbox --bench inbox`, with these variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `POSTGRES` | the URL of a database, with `--features postgres`. Default: SQLite, in a new folder in `DIR` |
//! | `CASE` | `sizes` (default), `backlog`, `coalesce`, `catch_up`, or `receivers` (Postgres) |
//! | `ROWS` | how many rows there are in the end; for `backlog`, how many jobs wait |
//! | `RECORDS` | of how many records the jobs are. Default: each of another one |
//! | `ROUNDS` | how often each size is measured; medians are printed. Default: 5 |
//! | `BASELINE` | this bench, built from another version: both are measured in turn, and the ratios printed |
//! | `BASELINE_POSTGRES` | its database. Default: the same one |

#![allow(clippy::unwrap_used, clippy::similar_names, reason = "a program for the terminal")]
#![allow(clippy::cast_precision_loss, reason = "they are counts")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tokio::sync::oneshot;
use tower::ServiceExt;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{CatchUpCommit, CatchUpStore, Inbox, Job, Secret, Store, WebhookEvent};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn variable(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn main() {
    if let Ok(measurement) = env::var("MEASURE") {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(child(&measurement));
    }
    let dirs = [(); 2].map(|()| tempfile::tempdir_in(env::var("DIR").unwrap_or(".".into())).unwrap());
    let mut sides =
        vec![Side { program: env::current_exe().unwrap().into(), vars: vec![("DIR", dirs[0].path().into())] }];
    if let Ok(program) = env::var("BASELINE") {
        let mut vars = vec![("DIR", dirs[1].path().into())];
        vars.extend(env::var_os("BASELINE_POSTGRES").map(|url| ("POSTGRES", url)));
        sides.insert(0, Side { program: program.into(), vars });
    }
    let rows = variable("ROWS", 100_000);
    println!("\n{}", if env::var_os("POSTGRES").is_some() { "Postgres" } else { "SQLite" });
    match env::var("CASE").as_deref().unwrap_or("sizes") {
        "sizes" => {
            header(&sides, "rows");
            for target in (3..).map(|exponent| 10_usize.pow(exponent)).take_while(|target| *target <= rows) {
                measure(&sides, &target.to_string(), &[("fill", target)], "round", 0);
            }
        }
        "backlog" => {
            header(&sides, "jobs");
            measure(&sides, &rows.to_string(), &[("store", rows)], "handle", 0);
        }
        case @ ("coalesce" | "catch_up") => {
            header(&sides, "rows");
            measure(&sides, &rows.to_string(), &[("fill", rows)], case, 3_000);
        }
        "receivers" => sides.last().unwrap().run("receivers", 0, |line| println!("{line}")),
        case => panic!("no such case: {case}"),
    }
}

/// A version of the inbox, and its database.
struct Side {
    program: std::ffi::OsString,
    vars: Vec<(&'static str, std::ffi::OsString)>,
}

impl Side {
    fn run(&self, measurement: &str, number: usize, mut line: impl FnMut(&str)) {
        let mut command = std::process::Command::new(&self.program);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command.env("MEASURE", measurement).env("NUMBER", number.to_string()).stderr(std::process::Stdio::inherit());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{measurement} failed");
        String::from_utf8(output.stdout).unwrap().lines().for_each(&mut line);
    }
}

fn header(sides: &[Side], first: &str) {
    if let [_, _] = sides {
        println!(
            "| {first} | what | per second: before | now | ratio | CPU µs: before | now | ratio | p50 ms: before | now | p99 ms: before | now |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    } else {
        println!("| {first} | what | per second | CPU µs | p50 ms | p99 ms |");
        println!("|---|---|---:|---:|---:|---:|");
    }
}

/// Measures each side in turn, `ROUNDS` times. A ratio is the median of the ratios of the pairs.
fn measure(sides: &[Side], size: &str, prepare: &[(&str, usize)], measurement: &str, number: usize) {
    // By what was measured: of each side, of each round, the four numbers.
    let mut measured: BTreeMap<String, Vec<Vec<[f64; 4]>>> = BTreeMap::new();
    for round in 0..variable("ROUNDS", 5) {
        for (index, side) in sides.iter().enumerate() {
            for (preparation, number) in prepare {
                side.run(preparation, *number, |_| {});
            }
            side.run(measurement, number, |line| {
                let (what, numbers) = line.split_once(':').unwrap();
                let numbers: Vec<f64> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
                let of_sides = measured.entry(what.to_owned()).or_insert_with(|| vec![Vec::new(); sides.len()]);
                of_sides[index].push(numbers.try_into().unwrap());
                if env::var_os("VERBOSE").is_some() {
                    eprintln!("{size} round {round} side {index} {line}");
                }
            });
        }
    }
    for (what, of_sides) in &measured {
        let of = |side: usize, column: usize| median(of_sides[side].iter().map(|numbers| numbers[column]));
        let ratio = |column: usize| {
            median(of_sides[0].iter().zip(&of_sides[1]).map(|(before, now)| now[column] / before[column]))
        };
        let ms = |value: f64| if value.is_nan() { String::new() } else { format!("{value:.1}") };
        if sides.len() == 2 {
            println!(
                "| {size} | {what} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} | {} | {} | {} | {} |",
                of(0, 0),
                of(1, 0),
                ratio(0),
                of(0, 1),
                of(1, 1),
                ratio(1),
                ms(of(0, 2)),
                ms(of(1, 2)),
                ms(of(0, 3)),
                ms(of(1, 3))
            );
        } else {
            let (p50, p99) = (ms(of(0, 2)), ms(of(0, 3)));
            println!("| {size} | {what} | {:.0} | {:.0} | {p50} | {p99} |", of(0, 0), of(0, 1));
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// One measurement in a separate process, so that each side's connections and memory are its own, too.
async fn child(measurement: &str) {
    #[cfg(feature = "postgres")]
    if let Ok(url) = env::var("POSTGRES") {
        if measurement == "receivers" {
            return eight_receivers(&url).await;
        }
        let server = server(&url).await;
        return run(measurement, Inbox::postgres(&url).await.unwrap(), server).await;
    }
    let path = Path::new(&env::var("DIR").unwrap()).join("inbox.db");
    run(measurement, Inbox::sqlite(path).await.unwrap(), None).await;
}

async fn run(measurement: &str, inbox: Inbox<impl Store + CatchUpStore>, server: Option<u32>) {
    let number = variable("NUMBER", 0);
    match measurement {
        "fill" => {
            let done = usize::try_from(inbox.counts().await.unwrap().done).unwrap();
            receive(&inbox, 256, number.saturating_sub(done)).await;
            handle(&inbox, None).await;
        }
        "store" => drop(receive(&inbox, 256, number).await),
        "handle" => {
            let cpu = cpu(server);
            let (jobs, seconds) = handle(&inbox, None).await;
            print("handled", jobs, seconds, cpu_since(cpu, server), None);
        }
        "round" => {
            for (at_a_time, deliveries) in [(1, 300), (20, 2_000), (100, 4_000)] {
                let cpu = cpu(server);
                let (seconds, latencies) = receive(&inbox, at_a_time, deliveries).await;
                let what = format!("stored, {at_a_time} at a time");
                print(&what, deliveries, seconds, cpu_since(cpu, server), Some(latencies));
            }
            let cpu = cpu(server);
            let (jobs, seconds) = handle(&inbox, None).await;
            print("handled", jobs, seconds, cpu_since(cpu, server), None);
        }
        "coalesce" => {
            // Ten of a record arrive together.
            receive_of(&inbox, 100, number, Some(number / 10)).await;
            let cpu = cpu(server);
            let (jobs, seconds) = handle(&inbox, Some(Duration::from_millis(1))).await;
            print("handled, ten merged into one", jobs, seconds, cpu_since(cpu, server), None);
        }
        "catch_up" => {
            let lease = Duration::from_mins(10);
            assert!(inbox.lease("", 1, lease).await.unwrap());
            let event = |number| WebhookEvent::from_stored(body(number, None, r#","caughtUp":true"#)).unwrap();
            let events: Vec<_> = (0..number).map(event).collect();
            let (cpu_before, began) = (cpu(server), Instant::now());
            for page in events.chunks(60) {
                let (object, events) = ("person".to_owned(), page.to_vec());
                let page = CatchUpCommit { token: 1, lease, object, events, ..CatchUpCommit::default() };
                assert!(inbox.commit(page).await.unwrap() > 0);
            }
            let seconds = began.elapsed().as_secs_f64();
            print("caught up, 60 a page", number, seconds, cpu_since(cpu_before, server), None);
            let cpu_before = cpu(server);
            let (seconds, latencies) = receive(&inbox, 100, number).await;
            let what = "left out as caught up before, 100 at a time";
            print(what, number, seconds, cpu_since(cpu_before, server), Some(latencies));
            handle(&inbox, None).await;
        }
        _ => panic!("no such measurement: {measurement}"),
    }
}

fn print(what: &str, count: usize, seconds: f64, cpu: Duration, latencies: Option<Vec<Duration>>) {
    let mut latencies = latencies.unwrap_or_default();
    latencies.sort();
    let ms = |percent: usize| {
        let index = (latencies.len().max(1) - 1) * percent / 100;
        latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    };
    let cpu = cpu.as_secs_f64() * 1e6 / count as f64;
    println!("{what}: {} {cpu} {} {}", count as f64 / seconds, ms(50), ms(99));
}

/// The process of a Postgres server on this machine, if it tells.
#[cfg(feature = "postgres")]
async fn server(url: &str) -> Option<u32> {
    use sqlx::{Connection, PgConnection};
    let mut connection = PgConnection::connect(url).await.ok()?;
    let file = sqlx::query_scalar("SELECT pg_read_file('postmaster.pid')").fetch_one(&mut connection).await;
    let file: String = file.ok()?;
    file.lines().next()?.parse().ok()
}

/// User and system time of this process, and of the server with all its processes, those that have ended too.
fn cpu(server: Option<u32>) -> Duration {
    // Of /proc/PID/stat from the third field on: the parent, and the times of the process and of its children that have ended.
    let stat = |path: &Path| -> Option<(u32, u64, u64)> {
        let stat = std::fs::read_to_string(path.join("stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some((fields.get(1)?.parse().ok()?, number(11)? + number(12)?, number(13)? + number(14)?))
    };
    let mut ticks = stat(Path::new("/proc/self")).map_or(0, |(_, own, _)| own);
    if let Some(server) = server {
        ticks += stat(Path::new(&format!("/proc/{server}"))).map_or(0, |(_, own, ended)| own + ended);
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            ticks += stat(&process.path()).filter(|(parent, ..)| *parent == server).map_or(0, |(_, own, _)| own);
        }
    }
    Duration::from_millis(ticks * 10)
}

fn cpu_since(before: Duration, server: Option<u32>) -> Duration {
    cpu(server).saturating_sub(before)
}

/// Eight receivers, one delivery at a time each, next to eight clients of `pgbench` that insert into a plain table with a unique key.
#[cfg(feature = "postgres")]
async fn eight_receivers(url: &str) {
    use sqlx::{Connection, PgConnection};
    let mut connection = PgConnection::connect(url).await.unwrap();
    let create = "CREATE TABLE IF NOT EXISTS plain (key bytea PRIMARY KEY, body bytea)";
    sqlx::query(create).execute(&mut connection).await.unwrap();
    let script = tempfile::NamedTempFile::new().unwrap();
    let insert = "INSERT INTO plain VALUES (sha256(random()::text::bytea), repeat('x', 2000)::bytea);";
    std::fs::write(script.path(), insert).unwrap();
    for _ in 0..3 {
        let mut inboxes = Vec::new();
        for _ in 0..8 {
            inboxes.push(Inbox::postgres(url).await.unwrap());
        }
        let began = Instant::now();
        let received = inboxes.iter().map(|inbox| async {
            let mut count = 0;
            while began.elapsed() < Duration::from_secs(5) {
                count += receive(inbox, 1, 50).await.1.len();
            }
            count
        });
        let received: usize = futures_util::future::join_all(received).await.iter().sum();
        let ours = received as f64 / began.elapsed().as_secs_f64();
        let pgbench = env::var("PGBENCH").unwrap_or("pgbench".into());
        let pgbench = tokio::process::Command::new(pgbench)
            .args(["--no-vacuum", "--client=8", "--jobs=2", "--time=5", "--protocol=prepared", "--file"])
            .arg(script.path())
            .arg(url)
            .output();
        let report = String::from_utf8(pgbench.await.unwrap().stdout).unwrap();
        let plain: f64 = report.split("tps = ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        println!("eight receivers {ours:.0} per second, pgbench {plain:.0}: {:.2}", ours / plain);
    }
}

/// An event of 2 KiB, of one of so many records.
fn body(number: usize, records: Option<usize>, more: &str) -> String {
    // Other records for each run.
    let run = std::process::id();
    let record = records.map_or(number, |records| number % records.max(1));
    let (hour, minute, second, ms) =
        (number / 3_600_000 % 24, number / 60_000 % 60, number / 1_000 % 60, number % 1_000);
    let (updated_at, note) = (format!("2026-09-14T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"), "x".repeat(2_000));
    format!(
        r#"{{"eventName":"person.updated"{more},"record":{{"id":"{run}-{record}","updatedAt":"{updated_at}","note":"{note}"}}}}"#
    )
}

fn signed(records: Option<usize>) -> Request<Body> {
    let body = body(NUMBER.fetch_add(1, Ordering::Relaxed), records, "");
    let headers = Signer::new(Secret::new("s3cret").unwrap()).sign(body.as_bytes());
    let mut request = Request::post("/").body(Body::from(body)).unwrap();
    request.headers_mut().extend(headers);
    request
}

async fn receive(inbox: &Inbox<impl Store>, at_a_time: usize, deliveries: usize) -> (f64, Vec<Duration>) {
    receive_of(inbox, at_a_time, deliveries, env::var("RECORDS").ok().map(|records| records.parse().unwrap())).await
}

async fn receive_of(
    inbox: &Inbox<impl Store>,
    at_a_time: usize,
    deliveries: usize,
    records: Option<usize>,
) -> (f64, Vec<Duration>) {
    let app = Router::new().route("/", inbox.receiver(Secret::new("s3cret").unwrap()));
    let left = Arc::new(AtomicUsize::new(deliveries));
    let began = Instant::now();
    let senders: Vec<_> = (0..at_a_time)
        .map(|_| {
            let (app, left) = (app.clone(), left.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    let (request, began) = (signed(records), Instant::now());
                    assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::ACCEPTED);
                    latencies.push(began.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.unwrap());
    }
    (began.elapsed().as_secs_f64(), latencies)
}

/// Handles all that is stored, with a handler that does nothing. Returns how many jobs there were, and the seconds.
async fn handle(inbox: &Inbox<impl Store>, coalesce: Option<Duration>) -> (usize, f64) {
    let jobs = usize::try_from(inbox.counts().await.unwrap().open()).unwrap();
    let began = Instant::now();
    let (stop, stopped) = oneshot::channel::<()>();
    let handled = Arc::new(AtomicUsize::new(0));
    let handler = {
        let handled = handled.clone();
        move |_: WebhookEvent, job: Job| {
            handled.fetch_add(1 + job.merged().len(), Ordering::SeqCst);
            async { Ok::<_, std::io::Error>(()) }
        }
    };
    let worker = inbox.worker("bench", handler).concurrency(32);
    let worker = if let Some(quiet) = coalesce { worker.coalesce(quiet) } else { worker };
    let worker = tokio::spawn(worker.run_until(stopped));
    while handled.load(Ordering::SeqCst) < jobs {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    stop.send(()).unwrap();
    worker.await.unwrap();
    (jobs, seconds)
}
