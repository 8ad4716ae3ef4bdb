//! `catch-up` and `inbox` on Postgres, also behind `PgBouncer`.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use twenty_webhook_inbox::Inbox;
use twenty_webhook_testing::{FakeTwenty, TestClock};

use crate::support::{command, flat, json as parsed, skip, text};
use crate::twenty::{lines, on, until};

#[path = "../../../twenty-webhook-catchup/tests/it/postgres.rs"]
mod server;

const HOUR: Duration = Duration::from_secs(3600);

/// An inbox on a Postgres, and a Twenty whose clock the test sets.
struct Fixture {
    server: server::Server,
    clock: TestClock,
    twenty: FakeTwenty,
}

impl Fixture {
    /// `None` if there is no Postgres here.
    fn new() -> Option<Self> {
        if !Path::new("/usr/lib/postgresql").is_dir() {
            skip("Debian's postgresql is not installed");
            return None;
        }
        let server = server::Server::start();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        drop(runtime.block_on(Inbox::postgres(&server.url())).unwrap());
        let clock = TestClock::default();
        let twenty = FakeTwenty::builder().clock(clock.clock()).bare_records().start();
        Some(Self { server, clock, twenty })
    }

    /// With three people that the first run has seen; one has changed since, and one is new.
    fn with_changes() -> Option<Self> {
        let fixture = Self::new()?;
        fixture.twenty.create_many("person", (0..3).map(|n| json!({ "id": n.to_string() })));
        fixture.clock.advance(HOUR);
        let first = fixture.catch_up(&fixture.url("postgres"), &[]);
        assert_eq!(first.status.code(), Some(0), "{first:?}");
        fixture.twenty.update("person", &["1"], json!({ "city": "Nantes" }));
        fixture.twenty.create("person", json!({ "id": "3" }));
        fixture.clock.advance(HOUR);
        Some(fixture)
    }

    /// The database, for this user. The server trusts everyone, so the password is only there to be kept secret.
    fn url(&self, user: &str) -> String {
        self.server.url().replace("postgres@", &format!("{user}:hunter2@"))
    }

    fn port(&self) -> String {
        self.server.url().rsplit(':').next().unwrap().split('/').next().unwrap().to_owned()
    }

    fn catch_up(&self, url: &str, more: &[&str]) -> Output {
        let usual = ["catch-up", "--objects", "person", "--requests-per-minute", "100000", "--db", url];
        let output = on(&self.twenty, &[&usual[..], more].concat()).output().unwrap();
        assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
        output
    }

    fn sql(&self, statements: &str) {
        let psql = Command::new("psql").arg(self.server.url()).args(["-qc", statements]).status();
        assert!(psql.unwrap().success());
    }
}

/// What is in the inbox, the oldest first.
fn stored(url: &str) -> Vec<String> {
    let output = command(&["inbox", "list", "--json", "--db", url]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let line = |job: &Value| format!("{} {}", job["event"].as_str().unwrap(), job["record_id"].as_str().unwrap());
    lines(&output).iter().rev().map(line).collect()
}

#[test]
fn what_webhooks_missed_is_stored_on_postgres() {
    let Some(fixture) = Fixture::with_changes() else { return };
    let url = fixture.url("postgres");
    let run = fixture.catch_up(&url, &[]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(flat(&run.stdout).ends_with("stored 2 events"), "{run:?}");
    assert_eq!(stored(&url), ["person.updated 1", "person.created 3"]);
    let again = fixture.catch_up(&url, &["--json"]);
    let again = &lines(&again)[0];
    assert_eq!((&again["updated"], &again["created"], &again["error"]), (&json!(0), &json!(0), &Value::Null));
}

#[test]
fn a_dry_run_needs_only_the_right_to_read() {
    let Some(fixture) = Fixture::with_changes() else { return };
    fixture.sql(
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA twenty_webhook TO reader; \
         GRANT SELECT ON ALL TABLES IN SCHEMA twenty_webhook TO reader",
    );
    let reader = fixture.url("reader");
    let dry = fixture.catch_up(&reader, &["--dry-run", "--destroyed", "now", "--json"]);
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");
    let found: Vec<_> = lines(&dry).iter().map(|line| line["event"].clone()).collect();
    assert_eq!(found, [json!("person.updated"), json!("person.created"), Value::Null]);
    assert!(stored(&reader).is_empty(), "nothing was stored");
    let run = fixture.catch_up(&reader, &[]);
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(text(&run.stderr).contains("permission denied"), "{run:?}");
}

#[test]
fn behind_pgbouncer_the_url_says_so() {
    let Some(fixture) = Fixture::with_changes() else { return };
    let Some(pooler) = PgBouncer::start(&fixture) else { return };
    let url = fixture.url("postgres").replace(&fixture.port(), &pooler.port.to_string());
    let without = fixture.catch_up(&url, &[]);
    assert_eq!(without.status.code(), Some(2), "{without:?}");
    assert!(flat(&without.stderr).contains("add pgbouncer=true to the URL's query"), "{without:?}");

    let with = format!("{url}?pgbouncer=true");
    let run = fixture.catch_up(&with, &[]);
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert_eq!(stored(&with), ["person.updated 1", "person.created 3"]);
    let stats = command(&["inbox", "stats", "--json", "--db", &with]).output().unwrap();
    assert_eq!(parsed(&stats)["pending"], 2, "{stats:?}");
}

/// `PgBouncer` in transaction mode.
struct PgBouncer {
    process: Child,
    port: u16,
    _dir: TempDir,
}

impl PgBouncer {
    /// `None` if it is not installed.
    fn start(fixture: &Fixture) -> Option<Self> {
        let program = Path::new("/usr/sbin/pgbouncer");
        if !program.is_file() {
            skip("pgbouncer is not installed");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 5\nmin_pool_size = 5\nserver_round_robin = 1\n",
            fixture.port()
        );
        std::fs::write(&config, text).unwrap();
        // It refuses to be root.
        let mut command = if dir.path().metadata().unwrap().uid() == 0 {
            assert!(Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap().success());
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let process = command.arg("--quiet").arg(config).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { process, port, _dir: dir };
        until("PgBouncer listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(pooler)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // `runuser` forwards SIGTERM, and cannot forward SIGKILL.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
