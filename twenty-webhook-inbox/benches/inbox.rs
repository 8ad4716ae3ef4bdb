//! How fast deliveries are stored and handled, and how that changes with the rows stored. `cargo bench -p twenty-webhook-inbox`; with
//! `POSTGRES=postgres://…` and `--features postgres` there instead; with `RECEIVERS=8` what eight receivers store beside `pgbench`. Prints
//! the tables of docs/performance.md.

#![allow(clippy::unwrap_used, clippy::similar_names, reason = "a program for the terminal")]
#![allow(clippy::cast_precision_loss, reason = "they are counts")]

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tokio::sync::oneshot;
use tower::ServiceExt;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{Inbox, Secret, Store, WebhookEvent};

static NUMBER: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let rows: usize = env::var("ROWS").map_or(100_000, |rows| rows.parse().unwrap());
        #[cfg(feature = "postgres")]
        if let Ok(url) = env::var("POSTGRES") {
            println!("\nPostgres");
            if env::var_os("RECEIVERS").is_some() {
                return eight_receivers(&url).await;
            }
            return measure(Inbox::postgres(&url).await.unwrap(), rows).await;
        }
        let dir = tempfile::tempdir_in(env::var("DIR").unwrap_or(".".into())).unwrap();
        println!("\nSQLite, {}", dir.path().display());
        measure(Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap(), rows).await;
    });
}

async fn measure(inbox: Inbox<impl Store>, rows: usize) {
    println!("| rows | at a time | 202 per second | p50 ms | p99 ms | max ms | handled per second |");
    println!("|---|---|---|---|---|---|---|");
    let mut target = 1_000;
    loop {
        fill(&inbox, target).await;
        for at_a_time in [1, 20, 100] {
            let (seconds, mut latencies) = receive(&inbox, at_a_time, if at_a_time == 1 { 300 } else { 3_000 }).await;
            latencies.sort();
            let ms = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
            print!(
                "| {target} | {at_a_time} | {:.0} | {:.1} | {:.1} | {:.1} |",
                latencies.len() as f64 / seconds,
                ms(50),
                ms(99),
                ms(100)
            );
            if at_a_time == 100 {
                println!(" {:.0} |", handle(&inbox).await);
            } else {
                println!(" |");
            }
        }
        if target >= rows {
            return;
        }
        target *= 10;
    }
}

/// Eight receivers, one delivery at a time each, beside eight clients of `pgbench` that insert into a plain table with a unique key.
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

fn signed() -> Request<Body> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let body =
        format!(r#"{{"eventName":"person.updated","record":{{"id":"{number}","note":"{}"}}}}"#, "x".repeat(2_000));
    let headers = Signer::new(Secret::new("s3cret").unwrap()).sign(body.as_bytes());
    let mut request = Request::post("/").body(Body::from(body)).unwrap();
    request.headers_mut().extend(headers);
    request
}

/// Adds rows until there are so many, all handled.
async fn fill(inbox: &Inbox<impl Store>, rows: usize) {
    let missing = (rows as u64).saturating_sub(inbox.counts().await.unwrap().done);
    receive(inbox, 256, usize::try_from(missing).unwrap()).await;
    if missing > 0 {
        let per_second = handle(inbox).await;
        println!("a backlog of {missing}: {per_second:.0} handled per second");
    }
}

async fn receive(inbox: &Inbox<impl Store>, at_a_time: usize, deliveries: usize) -> (f64, Vec<Duration>) {
    let app = Router::new().route("/", inbox.receiver(Secret::new("s3cret").unwrap()));
    let left = Arc::new(AtomicUsize::new(deliveries));
    let began = Instant::now();
    let senders: Vec<_> = (0..at_a_time)
        .map(|_| {
            let (app, left) = (app.clone(), left.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    let (request, began) = (signed(), Instant::now());
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

/// Handles all that is stored, with a handler that does nothing.
async fn handle(inbox: &Inbox<impl Store>) -> f64 {
    let jobs = inbox.counts().await.unwrap().open();
    let began = Instant::now();
    let (stop, stopped) = oneshot::channel::<()>();
    let handled = Arc::new(AtomicUsize::new(0));
    let handler = {
        let handled = handled.clone();
        move |_: WebhookEvent| {
            handled.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, std::io::Error>(()) }
        }
    };
    let worker = tokio::spawn(inbox.worker("bench", handler).concurrency(32).run_until(stopped));
    while (handled.load(Ordering::SeqCst) as u64) < jobs {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let per_second = jobs as f64 / began.elapsed().as_secs_f64();
    stop.send(()).unwrap();
    worker.await.unwrap();
    per_second
}
