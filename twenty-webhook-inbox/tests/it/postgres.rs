//! A real Postgres: the one whose programs are on the `PATH`, or else Debian's newest.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgTransaction};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use twenty_webhook_inbox::{
    Backoff, CatchUpCommit, CatchUpScope, CatchUpStore as _, Claim, ClaimedJob, Completion, FoundRecord, Inbox,
    InboxError, Job, JobFilter, Maintenance, Order, Outcome, PostgresConfig, PostgresStore, State, Store as _,
    WebhookEvent,
};

use crate::support::{Running, Seen, changed, event, free_port, ok, skipped, until, verified};

/// A separate server, which ends when this is dropped.
pub(crate) struct Server {
    programs: PathBuf,
    dir: TempDir,
    pub(crate) port: u16,
}

impl Server {
    /// `None` where Postgres is not installed, and then the test was [`skipped`].
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("Postgres is not installed");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        hand_over(dir.path());
        let server = Self { programs, dir, port };
        server.run("initdb", &["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        server.up();
        Some(server)
    }

    pub(crate) fn url(&self) -> String {
        self.database("postgres")
    }

    pub(crate) fn database(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Another program's way in.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
    }

    pub(crate) fn up(&self) {
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", self.port);
        self.run("pg_ctl", &["--wait", "--silent", "--log=/dev/null", "--options", &options, "start"]);
    }

    pub(crate) fn down(&self, mode: &str) {
        self.run("pg_ctl", &["--wait", "--silent", "--mode", mode, "stop"]);
    }

    /// What one of its programs prints.
    pub(crate) fn output(&self, program: &str, args: &[&str]) -> Vec<u8> {
        let output = Command::new(self.programs.join(program)).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    pub(crate) fn input(&self, program: &str, args: &[&str], input: &[u8]) {
        let mut command = Command::new(self.programs.join(program));
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Whether it came with this program.
    pub(crate) fn has(&self, program: &str) -> bool {
        self.programs.join(program).is_file()
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = unprivileged(&self.programs.join(program));
        let data = self.dir.path().join("data");
        let status = command.arg("--pgdata").arg(data).args(args).current_dir("/").stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
    }
}

/// A server that tests share for as long as one of them runs.
pub(crate) fn shared() -> Option<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap();
    shared.upgrade().or_else(|| {
        let server = Arc::new(Server::start()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    })
}

/// A new inbox on it.
pub(crate) async fn shared_server() -> Option<(Arc<Server>, Inbox<PostgresStore>)> {
    let server = shared()?;
    let inbox = PostgresConfig::new(&server.url()).unwrap().schema(new_schema()).open().await.unwrap();
    Some((server, inbox))
}

pub(crate) fn new_schema() -> String {
    format!("inbox_{:x}", getrandom::u64().unwrap())
}

/// Where `initdb` and the others are. Debian has them in a folder for each version, and not on the `PATH`.
fn programs() -> Option<PathBuf> {
    if let Some(initdb) = on_path("initdb") {
        return Some(initdb.canonicalize().unwrap().parent().unwrap().to_owned());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.map(|version| version.unwrap().path().join("bin"));
    versions.filter(|programs| programs.join("initdb").is_file()).max()
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A command that Postgres and its tools run under: they refuse to be root.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// Makes the folder the user's that `unprivileged` runs as.
pub(crate) fn hand_over(folder: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("postgres").arg(folder).status().unwrap().success());
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down("immediate");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_stored_handled_tried_again_and_put_right() {
    let Some(server) = Server::start() else { return };
    let url = server.url();
    let (one, two) = tokio::join!(Inbox::postgres(&url), Inbox::postgres(&url));
    let [inbox, other] = [one, two].map(|inbox| inbox.unwrap().deadline(Duration::from_mins(1)));
    let events: Vec<_> =
        (0..200).map(|number| event(["person.created", "company.updated"][number % 2], number)).collect();
    // From two receivers at once, each of them twice.
    let stores = events.iter().chain(events.iter().rev()).map(|event| async {
        let (one, two) = tokio::join!(inbox.store(event), other.store(event));
        one.unwrap();
        two.unwrap();
    });
    futures_util::future::join_all(stores).await;
    assert_eq!(inbox.counts().await.unwrap().pending, 200);

    let seen = Seen::default();
    let handler = |seen: &Seen| {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            seen.add(&event);
            async move { if event.object() == "company" { Err(io::Error::other("no\0")) } else { Ok(()) } }
        }
    };
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(10));
    let workers =
        [&inbox, &other].map(|inbox| Running::start(inbox.worker("test", handler(&seen)).attempts(2).backoff(backoff)));
    let counts = until(&inbox, |counts| counts.open() == 0).await;
    assert_eq!((counts.done, counts.dead), (100, 100));
    assert_eq!(seen.len(), 300, "people once, companies twice");
    for worker in workers {
        worker.stop().await;
    }

    let companies = JobFilter::in_state(State::Dead).named("company.*".parse().unwrap());
    let dead = inbox.jobs(&companies).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].last_error.as_deref()), (100, 2, Some("no\u{fffd}")));
    assert!(dead[0].id > dead[99].id);
    let (job, event) = inbox.job(dead[0].id).await.unwrap().unwrap();
    let event = event.unwrap();
    assert_eq!((job.id, job.name.as_str()), (dead[0].id, event.name().as_str()));
    assert_eq!(inbox.delete(&JobFilter::id(dead[0].id)).await.unwrap(), 1);
    assert_eq!(inbox.retry(&companies).await.unwrap(), 99);
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 199).await;
    running.stop().await;
}

#[tokio::test]
async fn no_password_is_in_debug() {
    let config = PostgresConfig::new("postgres://user:canary@127.0.0.1:1/crm?application_name=x").unwrap();
    let text = format!("{config:?} {config:#?}");
    assert!(text.contains("127.0.0.1") && text.contains("crm") && !text.contains("canary"), "{text}");
    let pool = PgPool::connect_lazy("postgres://user:canary@127.0.0.1:1/crm").unwrap();
    let text = format!("{:?}", PostgresConfig::on_pool(&pool));
    assert!(!text.contains("canary"), "{text}");
    let Some((server, _)) = shared_server().await else { return };
    let url = server.url().replace("postgres@", "postgres:canary@");
    let inbox = PostgresConfig::new(&url).unwrap().schema(new_schema()).open().await.unwrap();
    let text = format!("{inbox:?} {:?}", inbox.worker("test", |_: WebhookEvent| async { ok() }));
    assert!(!text.contains("canary"), "{text}");
}

/// A deploy starts all receivers and workers at once, the first time on an empty database.
#[tokio::test(flavor = "multi_thread")]
async fn many_programs_open_a_new_database_at_once() {
    let Some(server) = Server::start() else { return };
    let mut connection = server.connect().await;
    for round in 0..10 {
        let name = format!("round_{round}");
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let url = server.database(&name);
        for opened in futures_util::future::join_all((0..8).map(|_| Inbox::postgres(&url))).await {
            opened.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_started() {
    let Some(server) = Server::start() else { return };
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        move |event: WebhookEvent| {
            seen.add(&event);
            async { ok() }
        }
    };
    let running = Running::start(inbox.worker("test", handler).recover_after(Duration::from_secs(3)));
    let mut stored = Vec::new();
    for mode in ["fast", "immediate"] {
        for number in 0..20 {
            inbox.store(&event(&format!("person.{mode}"), number)).await.unwrap();
            stored.push(number.to_string());
        }
        server.down(mode);
        let began = Instant::now();
        let refused = inbox.store(&event("person.created", 999)).await;
        assert!(refused.is_err());
        assert!(began.elapsed() < Duration::from_millis(3_500), "{:?}", began.elapsed());
        let began = Instant::now();
        assert!(inbox.health().await.is_err());
        assert!(began.elapsed() < Duration::from_millis(3_500), "{:?}", began.elapsed());
        server.up();
        let mut tries = 0;
        while let Err(error) = inbox.store(&event(&format!("person.{mode}"), 100)).await {
            tries += 1;
            assert!(tries < 10, "{error}");
        }
        stored.push("100".to_owned());
        until(&inbox, |counts| counts.open() == 0).await;
        inbox.health().await.unwrap();
    }
    stored.sort();
    running.stop().await;
    let seen = seen.sorted();
    for number in &stored {
        assert!(seen.contains(number));
    }
    assert_eq!(inbox.counts().await.unwrap().done, stored.len() as u64);
}

/// It could not store most of Twenty's texts, and no error of a handler that mentions one.
#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    let Some(server) = shared() else { return };
    let name = new_schema();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut server.connect().await).await.unwrap();
    let config = PostgresConfig::new(&server.database(&name)).unwrap();
    for opened in
        [config.clone().open().await, config.clone().transaction_pooling().open().await, config.open_existing().await]
    {
        let error = opened.unwrap_err().to_string();
        assert!(error.contains("LATIN1") && error.contains("UTF8"), "{error}");
    }
}

/// Also if it is turned off later.
#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let Some(server) = Server::start() else { return };
    let off = async || {
        let mut connection = server.connect().await;
        for statement in ["synchronous_commit = off", "wal_writer_delay = '10s'"] {
            let statement = sqlx::AssertSqlSafe(format!("ALTER SYSTEM SET {statement}"));
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        sqlx::query("SELECT pg_reload_conf()").execute(&mut connection).await.unwrap();
        let until_it_is = async {
            while sqlx::query_scalar::<_, String>("SHOW synchronous_commit").fetch_one(&mut connection).await.unwrap()
                != "off"
            {}
        };
        tokio::time::timeout(Duration::from_secs(10), until_it_is).await.expect("it is off, for others");
    };
    let config = PostgresConfig::new(&server.url()).unwrap();
    let survived = async || Inbox::postgres(&server.url()).await.unwrap().counts().await.unwrap().pending;
    let inboxes = [config.clone().open().await.unwrap(), config.clone().transaction_pooling().open().await.unwrap()];
    off().await;
    let mut stored = 0;
    let opened = [config.clone().open().await.unwrap(), config.transaction_pooling().open().await.unwrap()];
    for (inbox, when) in inboxes.iter().zip(["before"; 2]).chain(opened.iter().zip(["after"; 2])) {
        stored += 1;
        while let Err(error) = inbox.store(&event("person.created", stored)).await {
            // Its connections are those of the server that was stopped.
            assert!(matches!(error, InboxError::Database(_)), "{error}");
        }
        server.down("immediate");
        server.up();
        assert_eq!(survived().await, stored as u64, "opened {when} it was turned off");
    }
}

/// A program's own tables, and another inbox, may be in the same database.
#[tokio::test]
async fn one_database_holds_two_inboxes_and_tables_of_others() {
    let Some(server) = Server::start() else { return };
    let mut connection = server.connect().await;
    sqlx::query("CREATE TABLE jobs (invoice bigint)").execute(&mut connection).await.unwrap();
    let other = PostgresConfig::new(&server.url()).unwrap().schema("it's \"another\"");
    let missing = other.clone().open_existing().await.unwrap_err();
    assert!(matches!(missing, InboxError::NotAnInbox(_)), "{missing}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%another%'";
    let schemas: i64 = sqlx::query_scalar(schemas).fetch_one(&mut connection).await.unwrap();
    assert_eq!(schemas, 0, "opening an existing inbox creates nothing");
    let other = other.open().await.unwrap();
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    inbox.store(&event("person.created", 2)).await.unwrap();
    other.store(&event("person.created", 1)).await.unwrap();
    assert_eq!((inbox.counts().await.unwrap().pending, other.counts().await.unwrap().pending), (2, 1));
    let existing = PostgresConfig::new(&server.url()).unwrap().open_existing().await.unwrap();
    assert_eq!(existing.counts().await.unwrap().pending, 2);
    let theirs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut connection).await.unwrap();
    assert_eq!(theirs, 0);
}

/// Statements are planned once for each connection, here while the table is nearly empty.
#[tokio::test(flavor = "multi_thread")]
async fn plans_depend_neither_on_the_number_of_rows_nor_on_statistics() {
    let Some(server) = Server::start() else { return };
    plans(&server, Inbox::postgres(&server.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_do_not_depend_on_a_table_that_was_empty() {
    let Some(server) = Server::start() else { return };
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let empty = "DELETE FROM twenty_webhook.jobs; ANALYZE twenty_webhook.jobs";
    sqlx::raw_sql(empty).execute(&mut server.connect().await).await.unwrap();
    plans(&server, inbox).await;
}

async fn plans(server: &Server, inbox: Inbox<PostgresStore>) {
    const ROWS: i64 = 20_000;
    let mut connection = server.connect().await;
    sqlx::query("ALTER TABLE twenty_webhook.jobs SET (autovacuum_enabled = false)")
        .execute(&mut connection)
        .await
        .unwrap();
    let handled = Arc::new(AtomicUsize::new(0));
    let handle = async |round: usize| {
        for number in 0..30 {
            let (record, state) = ((number % 3).to_string(), i64::try_from(100 * round + number).unwrap());
            inbox.store(&changed("person.updated", &record, Some(state))).await.unwrap();
        }
        let items = r#"[{"record":{"id":"0"}},{"record":{"id":"1"}}]"#;
        let batch = format!(r#"{{"eventName":"person.updated","workspaceId":"w","salt":{round},"items":{items}}}"#);
        inbox.store(&verified(batch)).await.unwrap();
        let handler = {
            let handled = handled.clone();
            move |_: WebhookEvent| {
                handled.fetch_add(1, Ordering::SeqCst);
                async { ok() }
            }
        };
        // Its maintenance, which reads all that wait, comes later.
        let worker = inbox.worker("test", handler).concurrency(4).recover_after(Duration::from_mins(30));
        let worker = Running::start(worker);
        let all = async {
            while handled.load(Ordering::SeqCst) < 31 * round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), all).await.unwrap();
        worker.stop().await;
    };
    handle(1).await;
    // Done, due later, and waiting for an earlier one.
    for (state, run_at) in [(3, 0), (0, i64::MAX / 2), (1, 0)] {
        let insert = "INSERT INTO twenty_webhook.jobs (key, scope, name, object, action, lane, order_at, dated, event_date, state, run_at,
                stored_at, finished_at)
            SELECT sha256(($1 || '-' || number)::bytea), '', 'n', 'o', 'a', number, number, TRUE, 0, $1, $2, 0, 0
            FROM generate_series(1, $3) AS number";
        sqlx::query(insert).bind(state).bind(run_at).bind(ROWS).execute(&mut connection).await.unwrap();
    }
    handle(2).await;
    let read = rows_read(inbox, &mut connection).await;
    // Each kind of statement was run dozens of times. The gauges of the metrics count all rows, a few times.
    assert!(read < 10 * ROWS, "{read} rows or index entries were read");
}

/// How many rows and index entries of its jobs an inbox has read, the only one on its server.
async fn rows_read(inbox: Inbox<PostgresStore>, connection: &mut PgConnection) -> i64 {
    inbox.database().close().await;
    // What a session has read is counted by the time it has ended.
    no_other_session(connection).await;
    let read =
        "SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'jobs')::bigint
        FROM pg_stat_user_tables WHERE relname = 'jobs'";
    sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
}

/// Waits until this is the only session on its server.
async fn no_other_session(connection: &mut PgConnection) {
    let others =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let alone = async {
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *connection).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), alone).await.expect("all sessions have ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn close_ends_all_sessions_but_those_of_the_users_pool() {
    let Some(server) = Server::start() else { return };
    let mut connection = server.connect().await;
    let handler = |_: WebhookEvent, _: Job, tx: PgTransaction<'static>| async { Ok::<_, sqlx::Error>(tx) };
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let running = Running::start(inbox.run_in_transaction("test", handler));
    until(&inbox, |counts| counts.done == 1).await;
    running.stop().await;
    inbox.database().close().await;
    no_other_session(&mut connection).await;

    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let inbox = PostgresConfig::on_pool(&pool).open().await.unwrap();
    inbox.database().close().await;
    assert!(!pool.is_closed());
}

/// Its lease ran out while the server answered no one, so its worker could not renew it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_waited_for_the_server_takes_no_worker_for_dead() {
    let Some(server) = Server::start() else { return };
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let heartbeat = inbox.database().reconnect().await.unwrap();
    let newest = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
        ORDER BY backend_start DESC LIMIT 1";
    let pid: i32 = sqlx::query_scalar(newest).fetch_one(&mut server.connect().await).await.unwrap();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
    let claim = Claim::new(7, 1, Duration::from_secs(2));
    assert_eq!(inbox.database().claim(&claim).await.unwrap().jobs.len(), 1);
    signal("-STOP");
    let recovering = tokio::spawn({
        let heartbeat = heartbeat.clone();
        async move { heartbeat.recover(Duration::ZERO, 5).await }
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!recovering.is_finished(), "it waits");
    signal("-CONT");
    assert_eq!(recovering.await.unwrap().unwrap().jobs, 0);
    assert_eq!(heartbeat.recover(Duration::ZERO, 5).await.unwrap().jobs, 1, "now it is dead");
}

/// A heartbeat goes on while all other connections are busy or gone.
#[tokio::test]
async fn a_heartbeat_has_its_own_connection() {
    let Some((_server, inbox)) = shared_server().await else { return };
    let store = inbox.database();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let minute = Duration::from_mins(1);
    let id = store.claim(&Claim::new(7, 1, minute)).await.unwrap().jobs[0].id;
    let heartbeat = store.reconnect().await.unwrap();
    store.close().await;
    assert_eq!(heartbeat.renew(&[(id, 7)], minute).await.unwrap(), [id]);
    heartbeat.recover(Duration::ZERO, 5).await.unwrap();
}

/// A page of catch-up, planned while the tables are empty.
#[tokio::test]
async fn records_that_are_found_are_compared_with_their_own_jobs() {
    const ROWS: i64 = 10_000;
    let Some(server) = Server::start() else { return };
    let inbox = Inbox::postgres(&server.url()).await.unwrap();
    let mut connection = server.connect().await;
    let off = "ALTER TABLE twenty_webhook.jobs SET (autovacuum_enabled = false)";
    sqlx::query(off).execute(&mut connection).await.unwrap();
    assert!(inbox.lease("w", 1, Duration::from_mins(5)).await.unwrap());
    let page = CatchUpCommit {
        scope: CatchUpScope { tenant: None, workspace_id: Some("w".to_owned()) },
        token: 1,
        lease: Duration::from_mins(5),
        object: "person".to_owned(),
        found: (0..50).map(|number| FoundRecord { id: format!("found {number}"), state: Some(1) }).collect(),
        ..CatchUpCommit::default()
    };
    inbox.commit(page.clone()).await.unwrap();
    let insert =
        "INSERT INTO twenty_webhook.jobs (key, scope, name, object, action, record_id, lane, order_at, dated, event_date, state, run_at,
            stored_at, caught_up)
        SELECT sha256(number::text::bytea), 'w', 'person.destroyed', 'person', 'destroyed', number::text, number, number, TRUE, 0, 3, 0,
            0, TRUE
        FROM generate_series(1, $1) AS number";
    sqlx::query(insert).bind(ROWS).execute(&mut connection).await.unwrap();
    inbox.commit(page).await.unwrap();
    let read = rows_read(inbox, &mut connection).await;
    assert!(read < ROWS / 2, "{read} rows or index entries were read");
}

/// Two claims that merge jobs which the other one has locked would wait for each other.
#[tokio::test]
async fn a_claim_waits_for_no_job_that_it_would_merge() {
    let Some(server) = shared() else { return };
    let schema = new_schema();
    let inbox = PostgresConfig::new(&server.url()).unwrap().schema(&schema).open().await.unwrap();
    for second in 1..=4 {
        inbox.store(&changed("person.updated", "a", Some(second))).await.unwrap();
    }
    let mut other = server.connect().await;
    let old = format!("UPDATE {schema}.jobs SET stored_at = stored_at - 60000");
    sqlx::query(sqlx::AssertSqlSafe(old)).execute(&mut other).await.unwrap();
    let mut tx = other.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM {schema}.jobs WHERE seq = 3 FOR UPDATE");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *tx).await.unwrap();
    let mut order = Order::default();
    order.coalesce = Some(Duration::from_secs(1));
    let mut claim = Claim::new(1, 1, Duration::from_mins(1));
    claim.order = Some(order);
    let claimed = tokio::time::timeout(Duration::from_secs(5), inbox.database().claim(&claim)).await;
    let claimed = claimed.expect("it does not wait").unwrap().jobs;
    let ids = |job: &ClaimedJob| (job.id.number(), job.merged.iter().map(|job| job.id.number()).collect::<Vec<_>>());
    assert_eq!(claimed.iter().map(ids).collect::<Vec<_>>(), [(2, vec![1])]);
}

/// Forwards to a server. When its host vanishes, whoever is connected hears nothing any more, and new connections reach it again.
struct Proxy {
    port: u16,
    vanish: watch::Sender<()>,
}

impl Proxy {
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, vanish) = (listener.local_addr().unwrap().port(), watch::Sender::new(()));
        let vanishing = vanish.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut vanished = vanishing.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = vanished.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, vanish }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_vanishes_costs_no_delivery() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::start(server.port).await;
    for transaction_pooling in [false, true] {
        let config = PostgresConfig::new(&proxy.url()).unwrap().schema(new_schema());
        let config = if transaction_pooling { config.transaction_pooling() } else { config };
        let inbox = config.open().await.unwrap();
        inbox.store(&event("person.created", 1)).await.unwrap();
        let recover = || async { inbox.database().recover(Duration::ZERO, 5).await.unwrap() };
        // Some connections are idle in the pool.
        futures_util::future::join_all((0..5).map(|_| recover())).await;
        proxy.vanish.send(()).unwrap();
        let began = Instant::now();
        inbox.store(&event("person.created", 2)).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

/// The server's default may be another one: then a claim would not see what was committed while it took its locks.
#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_is_read_committed() {
    let Some(server) = shared() else { return };
    let name = new_schema();
    let execute = async |url: &str, statements: String| {
        let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    };
    execute(&server.url(), format!("CREATE DATABASE {name}")).await;
    let default = format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'");
    execute(&server.url(), default).await;
    let url = server.database(&name);
    execute(
        &url,
        "CREATE TABLE levels (level text); CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO levels VALUES (current_setting(''transaction_isolation'')); RETURN NULL; END'"
            .to_owned(),
    )
    .await;
    let config = PostgresConfig::new(&url).unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    for (schema, config) in [("a", config.clone()), ("b", config.transaction_pooling())] {
        let inbox = config.schema(schema).open().await.unwrap();
        let trigger = format!(
            "CREATE TRIGGER note AFTER INSERT OR UPDATE ON {schema}.jobs FOR EACH STATEMENT EXECUTE FUNCTION public.note_level()"
        );
        execute(&url, trigger).await;
        for second in 0..20 {
            inbox.store(&changed("person.updated", "1", Some(second))).await.unwrap();
        }
        let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
        until(&inbox, |counts| counts.done == 20).await;
        running.stop().await;
        let levels: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT level FROM levels").fetch_all(&pool).await.unwrap();
        assert_eq!(levels, ["read committed"]);
    }
    // A pool that was brought along is as it is.
    let inbox = PostgresConfig::on_pool(&pool).schema("a").open().await.unwrap();
    inbox.store(&event("person.created", 1)).await.unwrap();
    let handler = |_: WebhookEvent, _: Job, tx: PgTransaction<'static>| async { Ok::<_, sqlx::Error>(tx) };
    let running = Running::start(inbox.run_in_transaction("test", handler).attempts(1));
    until(&inbox, |counts| counts.dead == 1).await;
    running.stop().await;
    let dead = inbox.jobs(&JobFilter::in_state(State::Dead)).await.unwrap();
    assert!(dead[0].last_error.as_ref().unwrap().contains("repeatable read"), "{dead:?}");
}

/// A host that vanishes is noticed, and a client that stops frees its locks. On a pool of the user too, with the shorter times of that pool.
#[tokio::test(flavor = "multi_thread")]
async fn connections_have_the_settings_of_their_session() {
    let Some(server) = shared() else { return };
    let config = PostgresConfig::new(&server.url()).unwrap();
    let pool = PgPool::connect(&server.url()).await.unwrap();
    let of_its_own = PgPoolOptions::new().after_connect(|connection, _| {
        let set = "SET idle_in_transaction_session_timeout = '1d'; SET lock_timeout = '250ms'";
        Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
    });
    let of_its_own = of_its_own.connect(&server.url()).await.unwrap();
    for (config, expected) in [
        (config.clone(), "10s 15s"),
        (config.transaction_pooling(), "10s 15s"),
        (PostgresConfig::on_pool(&pool), "10s 15s"),
        (PostgresConfig::on_pool(&of_its_own), "250ms 15s"),
    ] {
        let settings = settings_in_a_handler(config.schema(new_schema()).open().await.unwrap()).await;
        assert_eq!(settings, format!("10 5 3 25000 {expected}"));
    }
    let after: String = sqlx::query_scalar("SHOW lock_timeout").fetch_one(&pool).await.unwrap();
    assert_eq!(after, "0", "the pool is as it was");
}

async fn settings_in_a_handler(inbox: Inbox<PostgresStore>) -> String {
    inbox.store(&event("person.created", 1)).await.unwrap();
    let (send, mut settings) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |_: WebhookEvent, _: Job, mut tx: PgTransaction<'static>| {
        let send = send.clone();
        async move {
            // On a connection over TCP these are what the system says about the socket.
            let select = "SELECT concat_ws(' ', current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),
                current_setting('tcp_keepalives_count'), current_setting('tcp_user_timeout'), current_setting('lock_timeout'),
                current_setting('idle_in_transaction_session_timeout'))";
            let _ = send.send(sqlx::query_scalar::<_, String>(select).fetch_one(&mut *tx).await?);
            Ok::<_, sqlx::Error>(tx)
        }
    };
    let running = Running::start(inbox.run_in_transaction("test", handler));
    let settings = tokio::time::timeout(Duration::from_secs(30), settings.recv()).await.unwrap().unwrap();
    running.stop().await;
    settings
}

/// The worker that runs it has vanished in the middle of its transaction.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_behind_one_that_is_locked_hold_up_no_other_record() {
    let Some(server) = shared() else { return };
    let schema = new_schema();
    let inbox = PostgresConfig::new(&server.url()).unwrap().schema(&schema).open().await.unwrap();
    for second in 0..30 {
        inbox.store(&changed("person.updated", "a", Some(second))).await.unwrap();
    }
    let claimed = inbox.database().claim(&Claim::new(1, 1, Duration::from_mins(5))).await.unwrap().jobs;
    assert_eq!(claimed.len(), 1);
    let mut other = server.connect().await;
    let mut tx = other.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM {schema}.jobs WHERE state = 2 FOR UPDATE");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *tx).await.unwrap();
    for number in 0..20 {
        inbox.store(&event("company.created", number)).await.unwrap();
    }
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 20).await;
    tx.rollback().await.unwrap();
    running.stop().await;
    let completion = Completion::new(claimed[0].id, 1, Outcome::Done);
    inbox.database().complete(&[completion]).await.unwrap();
    let running = Running::start(inbox.worker("test", |_: WebhookEvent| async { ok() }));
    until(&inbox, |counts| counts.done == 50).await;
    running.stop().await;
}

/// The same of statements that read many rows: each row is read a few times, and not once for each other one.
#[tokio::test]
async fn maintenance_and_catch_up_read_each_row_a_few_times() {
    const ROWS: i64 = 30_000;
    let Some(server) = shared() else { return };
    let schema = new_schema();
    let inbox = PostgresConfig::new(&server.url()).unwrap().schema(&schema).open().await.unwrap();
    let mut connection = server.connect().await;
    for off in
        ["ALTER TABLE jobs SET (autovacuum_enabled = false)", "ALTER TABLE known SET (autovacuum_enabled = false)"]
    {
        let off = off.replace("TABLE ", &format!("TABLE {schema}."));
        sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut connection).await.unwrap();
    }
    let scope = CatchUpScope { tenant: None, workspace_id: Some("w".to_owned()) };
    let gone = (0..50).map(|number| format!("gone {number}")).collect();
    let page = CatchUpCommit {
        scope,
        token: 1,
        lease: Duration::from_mins(5),
        object: "person".to_owned(),
        gone,
        ..CatchUpCommit::default()
    };
    assert!(inbox.lease("w", 1, Duration::from_mins(5)).await.unwrap());
    let run = async || {
        inbox.database().maintain(&Maintenance::new(Duration::MAX)).await.unwrap();
        inbox.add_delivered_ids("w", "person").await.unwrap();
        inbox.commit(page.clone()).await.unwrap();
        inbox.count_ids("w", "person", 1, "key").await.unwrap();
    };
    // Planned while the tables are empty. Each connection of the pool has its own plans: here it is always the same one.
    run().await;
    let insert = format!(
        "INSERT INTO {schema}.jobs (key, scope, name, object, action, record_id, lane, order_at, dated, event_date, state, run_at, stored_at)
        SELECT sha256(number::text::bytea), 'w', 'person.updated', 'person', 'updated', number::text, number / 2, number, TRUE, 0, 1, 0, 0
        FROM generate_series(1, {ROWS}) AS number;
        INSERT INTO {schema}.known SELECT 'w', 'person', number::text, 0, TRUE, 1, 'key' FROM generate_series(1, {ROWS}) AS number"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    let before = inbox.counts().await.unwrap();
    assert_eq!(before.pending, ROWS.unsigned_abs());
    tokio::time::timeout(Duration::from_mins(1), run()).await.expect("a plan reads all rows for each row");
}
