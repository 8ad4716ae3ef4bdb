//! The program that is killed: a receiver, a worker and catch-up on one inbox.

use std::env;
use std::fs::{self, OpenOptions};
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use twenty_webhook_catchup::{CatchUp, CatchUpError, CatchUpStore};
use twenty_webhook_core::{Clock, Secret, UnixMillis, Verifier, jiff};
use twenty_webhook_inbox::{Inbox, Job, PostgresConfig, Store, WebhookEvent, Worker};
use twenty_webhook_testing::TestClock;

use super::{OBJECTS, SECRET};

/// How many jobs a process handles at a time. As many again may wait to be completed.
pub(super) const CONCURRENCY: usize = 4;

pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) url: String,
    pub(super) key: String,
    pub(super) workspace: String,
    /// The URL and the schema; SQLite without it.
    pub(super) postgres: Option<(String, String)>,
}

/// Runs an expression on the inbox of either database.
macro_rules! with_inbox {
    ($place:expr, $inbox:ident => $run:expr) => {
        match &$place.postgres {
            Some((url, schema)) => {
                let $inbox = PostgresConfig::new(url).unwrap().schema(schema).open().await.unwrap();
                $run
            }
            None => {
                let $inbox = Inbox::sqlite($place.path("inbox.db")).await.unwrap();
                $run
            }
        }
    };
}

impl Place {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Shows the process what time it is.
    pub(super) fn show(&self, clock: &TestClock) {
        fs::write(self.path("clock"), clock.now().as_millis().to_string()).unwrap();
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
            // Ids that are known only from deliveries count too, because the key reads all records.
            .accept_destroys()
            .destroyed_every(Duration::from_secs(600))
    }

    pub(super) async fn first_run(&self) {
        with_inbox!(self, inbox => assert!(self.catch_up().run_once(&inbox).await.unwrap().is_ok()));
    }

    /// Finds and handles all that was left over by the processes that were killed.
    pub(super) async fn last_run(&self) {
        with_inbox!(self, inbox => self.last_run_on(inbox).await);
    }

    async fn last_run_on(&self, inbox: Inbox<impl Store + CatchUpStore>) {
        // The first may go on with a pass that saw records before they were destroyed.
        let mut runs = 0;
        while runs < 2 {
            match self.catch_up().destroyed_every(Duration::ZERO).run_once(&inbox).await {
                Err(CatchUpError::Busy) => tokio::time::sleep(Duration::from_millis(100)).await,
                Ok(report) if report.is_ok() => runs += 1,
                // A fault that no run has met yet.
                Ok(_)
                | Err(
                    CatchUpError::NoResponse { .. } | CatchUpError::RateLimited(_) | CatchUpError::ResponseTooLarge(_),
                ) => {}
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

    /// Starts the program, and has the webhook call it.
    pub(super) async fn start(&self, webhook: &str) -> Process {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "storm::process::as_child", "--ignored", "--nocapture", "--test-threads=1"])
            .envs([("DIR", self.dir.to_str().unwrap()), ("URL", &self.url), ("KEY", &self.key)])
            .env("WORKSPACE", &self.workspace)
            .envs(self.postgres.iter().flat_map(|(url, schema)| [("POSTGRES", url), ("SCHEMA", schema)]))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let port = stdout.lines().find_map(|line| Some(line.unwrap().split_once("port ")?.1.to_owned()));
        let target = format!("http://127.0.0.1:{}/", port.expect("it starts"));
        let url = format!("{}/rest/webhooks/{webhook}", self.url);
        // One of the faults may be in the way.
        while !self.patch(&url, &target).await.is_ok_and(|answer| answer.contains(&target)) {}
        Process(child)
    }

    async fn patch(&self, webhook: &str, target: &str) -> Result<String, reqwest::Error> {
        let patch = reqwest::Client::new().patch(webhook).bearer_auth(&self.key).timeout(Duration::from_secs(1));
        let body = json!({ "targetUrl": target }).to_string();
        patch.header("content-type", "application/json").body(body).send().await?.text().await
    }
}

/// It is killed when it is dropped.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Writes down what it handles: process, object, id, action, date, whether it was caught up, the job, and the time.
fn worker<S: Store>(inbox: &Inbox<S>, dir: &Path) -> Worker<S> {
    let log = Arc::new(OpenOptions::new().create(true).append(true).open(dir.join("handled")).unwrap());
    let handler = move |event: WebhookEvent, job: Job| {
        let log = Arc::clone(&log);
        async move {
            let date = event.record_updated_at().map_or(-1, jiff::Timestamp::as_millisecond);
            let (object, action, id) = (event.object(), event.action(), event.record_id().unwrap_or_default());
            let caught_up = event.is_from_catchup();
            let (process, now) = (std::process::id(), Clock::default().now().as_millis());
            let line = format!("{process} {object} {id} {action} {date} {caught_up} {} {now}\n", job.id());
            (&*log).write_all(line.as_bytes())
        }
    };
    inbox
        .worker("storm", handler)
        .concurrency(CONCURRENCY)
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
        postgres: env::var("POSTGRES").ok().zip(env::var("SCHEMA").ok()),
    };
    let filter = tracing_subscriber::EnvFilter::new(env::var("LOG").unwrap_or("off".into()));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { with_inbox!(place, inbox => Box::pin(run(&place, inbox)).await) });
}

async fn run(place: &Place, inbox: Inbox<impl Store + CatchUpStore>) {
    let (path, last) = (place.path("clock"), AtomicU64::new(0));
    let clock = Clock::new(move || {
        // Written in the middle it is empty, or too short.
        let shown = fs::read_to_string(&path).ok().filter(|text| text.len() == 13).and_then(|text| text.parse().ok());
        UnixMillis::from_millis(last.fetch_max(shown.unwrap_or(0), Ordering::SeqCst).max(shown.unwrap_or(0)))
    });
    let verifier = Verifier::new(Secret::new(SECRET).unwrap()).clock(clock);
    let app = axum::Router::new().route("/", inbox.receiver(verifier));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("port {}", listener.local_addr().unwrap().port());
    tokio::join!(
        async { axum::serve(listener, app).await.unwrap() },
        worker(&inbox, &place.dir).run_until(pending::<()>()),
        place.catch_up().run_until(&inbox, pending::<()>()),
    );
}
