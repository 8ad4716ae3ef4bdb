use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use twenty_webhook_catchup::{CatchUp, ObjectReport, Report};
use twenty_webhook_core::{Secret, Signer, Verifier};
use twenty_webhook_inbox::{Inbox, JobFilter, SqliteStore, WebhookEvent};
use twenty_webhook_testing::{FakeTwenty, TestClock};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A Twenty whose clock the test sets, and an inbox that has no deliveries of it yet.
pub(crate) struct Place {
    pub(crate) clock: TestClock,
    pub(crate) twenty: FakeTwenty,
    pub(crate) inbox: Inbox<SqliteStore>,
    dir: TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let clock = TestClock::default();
        let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().start();
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let inbox = Inbox::sqlite(dir.path().join("inbox.db")).await.unwrap();
        Self { clock, twenty, inbox, dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("inbox.db")
    }

    /// The inbox as another process opens it.
    pub(crate) async fn opened_again(&self) -> Inbox<SqliteStore> {
        Inbox::sqlite(self.path()).await.unwrap()
    }

    pub(crate) async fn sql(&self, statement: &'static str) {
        use sqlx::ConnectOptions;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }

    /// Of people, and as fast as it goes.
    pub(crate) fn catch_up(&self) -> CatchUp {
        self.catch_up_with(self.twenty.api_key())
    }

    pub(crate) fn catch_up_with(&self, key: &str) -> CatchUp {
        let catch_up = CatchUp::new(self.twenty.url(), key).unwrap().objects(["person"]);
        catch_up.requests_per_minute(1_000_000).retry_wait(Duration::from_millis(1))
    }

    /// One run, in which nothing goes wrong.
    pub(crate) async fn run(&self, catch_up: CatchUp) -> ObjectReport {
        let mut report = self.report(catch_up).await;
        assert!(report.is_ok(), "{report:?}");
        report.objects.remove(0)
    }

    pub(crate) async fn report(&self, catch_up: CatchUp) -> Report {
        catch_up.run_once(&self.inbox).await.unwrap()
    }

    /// Creates people, an hour before anything else happens.
    pub(crate) fn people(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) {
        let people = ids.into_iter().map(|id| serde_json::json!({ "id": id.as_ref() }));
        self.twenty.create_many("person", people);
        self.clock.advance(HOUR);
    }

    pub(crate) fn update(&self, id: &str, city: &str) {
        self.twenty.update("person", &[id], serde_json::json!({ "city": city }));
        self.clock.advance(HOUR);
    }

    /// All that is stored, the oldest first: `person.updated 1`.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let jobs = self.inbox.jobs(&JobFilter::all()).await.unwrap();
        let shown =
            jobs.iter().rev().map(|job| format!("{} {}", job.name, job.record_id.as_deref().unwrap_or_default()));
        shown.collect()
    }

    /// A record as Twenty has it, as the delivery of it that Twenty would send.
    pub(crate) fn delivery(&self, action: &str, id: &str) -> WebhookEvent {
        let records = self.twenty.records("person");
        let record = records.into_iter().find(|record| record["id"] == id).unwrap();
        delivery_of(action, &record)
    }

    /// Handles all that is there, as a worker does; returns what was handled, as `person.updated 1`, with `stale` where it is.
    pub(crate) async fn handle(&self) -> Vec<String> {
        handle(&self.inbox).await
    }
}

pub(crate) async fn handle(inbox: &Inbox<SqliteStore>) -> Vec<String> {
    let (send, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let worker = inbox.worker("test", move |event: WebhookEvent, job: twenty_webhook_inbox::Job| {
        let stale = if job.is_stale() { " stale" } else { "" };
        let line = format!("{} {}{stale}", event.name(), event.record_id().unwrap_or_default());
        let _ = send.send(line);
        async { Ok::<_, std::io::Error>(()) }
    });
    let counted = inbox.clone();
    let empty = async move {
        loop {
            let counts = counted.counts().await.unwrap();
            if counts.pending + counts.running + counts.retrying == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), worker.run_until(empty)).await.expect("it ends");
    let mut lines = Vec::new();
    while let Ok(line) = handled.try_recv() {
        lines.push(line);
    }
    lines
}

pub(crate) fn delivery_of(action: &str, record: &serde_json::Value) -> WebhookEvent {
    let salt = getrandom::u64().unwrap();
    verified(format!(r#"{{"eventName":"person.{action}","salt":{salt},"record":{record}}}"#))
}

pub(crate) fn verified(body: String) -> WebhookEvent {
    let secret = Secret::new("s3cret").unwrap();
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    Verifier::from(secret).verify(&headers, body).unwrap().into_event().unwrap()
}

/// The same of a tenant's secret.
pub(crate) fn verified_of(tenant: &str, body: String) -> WebhookEvent {
    let secret = Secret::new("s3cret").unwrap();
    let headers = Signer::new(secret.clone()).sign(body.as_bytes());
    Verifier::from(secret).tenant(tenant).verify(&headers, body).unwrap().into_event().unwrap()
}
