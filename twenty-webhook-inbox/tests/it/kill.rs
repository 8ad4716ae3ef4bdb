//! Kills processes at random under load. Every delivery that was answered 2xx is handled, and only those around a kill twice.

use std::collections::{HashMap, HashSet};
use std::env;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::{Inbox, Secret, Store};

use crate::child::{Process, now};
use crate::support::{Place, SECRET, free_port};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let place = Place::new();
    let log = place.dir.path().join("handled");
    let storm = storm(place.path().to_str().unwrap(), log.to_str().unwrap(), "worker").await;
    storm.check("sqlite", &calls(log.to_str().unwrap(), &storm.killed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_transactions_on_sqlite() {
    let place = Place::new();
    let storm = storm(place.path().to_str().unwrap(), "", "audit").await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    storm.check_rows("sqlite", sqlx::query_scalar("SELECT number FROM audit").fetch_all(&pool).await.unwrap());
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let Some(server) = crate::postgres::Server::start() else { return };
    let place = Place::new();
    let log = place.dir.path().join("handled");
    let storm = storm(&server.url(), log.to_str().unwrap(), "worker").await;
    storm.check("postgres", &calls(log.to_str().unwrap(), &storm.killed));
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_transactions_on_postgres() {
    let Some(server) = crate::postgres::Server::start() else { return };
    let storm = storm(&server.url(), "", "audit").await;
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    storm.check_rows("postgres", sqlx::query_scalar("SELECT number FROM audit").fetch_all(&pool).await.unwrap());
}

fn from_env(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn random(below: usize) -> usize {
    getrandom::u32().unwrap() as usize % below
}

/// Five deliveries of each record, sent in another order than their `updatedAt`. Some follow each other immediately.
#[derive(Clone, Copy)]
struct Load {
    deliveries: usize,
}

impl Load {
    fn record(self, number: usize) -> usize {
        (number - usize::from(number % 10 == 9)) % self.records()
    }

    fn records(self) -> usize {
        self.deliveries / 5
    }

    /// Seconds, different for each delivery.
    fn updated_at(self, number: usize) -> usize {
        [1, 0, 3, 2, 4][number / self.records() % 5] * self.records() + number % self.records()
    }

    fn body(self, number: usize) -> String {
        let seconds = i64::try_from(1_700_000_000 + self.updated_at(number)).unwrap();
        let updated_at = twenty_webhook_core::jiff::Timestamp::from_second(seconds).unwrap();
        let record = self.record(number);
        format!(
            r#"{{"eventName":"person.updated","number":{number},"record":{{"id":"{record}","updatedAt":"{updated_at}"}}}}"#
        )
    }
}

/// The result.
struct Storm {
    load: Load,
    /// When each delivery was answered 202.
    accepted: HashMap<usize, u128>,
    refused: usize,
    /// When each process was killed.
    killed: HashMap<u32, u128>,
    worker_kills: usize,
    took: Duration,
}

/// Sends deliveries to a receiver and two workers, and kills them at random.
async fn storm(database: &str, log: &str, worker: &'static str) -> Storm {
    let (deliveries, kills) = (from_env("KILL_DELIVERIES", 10_000), from_env("KILL_KILLS", 20));
    let load = Load { deliveries };
    let port = free_port();
    let start = |role| Process::start(role, database, port, log);
    let mut processes = vec![("receiver", start("receiver")), (worker, start(worker)), (worker, start(worker))];

    let began = Instant::now();
    let (sent, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashMap::new())));
    let refused = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let (sent, accepted, refused) = (sent.clone(), accepted.clone(), refused.clone());
            tokio::spawn(async move {
                loop {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    if number >= deliveries {
                        return;
                    }
                    match deliver(port, &load.body(number)).await {
                        Ok(202) => assert!(accepted.lock().unwrap().insert(number, now()).is_none()),
                        Ok(503) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                        Ok(status) => panic!("{status}"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            })
        })
        .collect();

    let mut times: Vec<_> = (0..kills).map(|_| random(deliveries)).collect();
    times.sort_unstable();
    let (mut killed, mut worker_kills) = (HashMap::new(), 0);
    for time in times {
        while sent.load(Ordering::SeqCst) < time {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        let (role, process) = processes.swap_remove(random(processes.len()));
        worker_kills += usize::from(role != "receiver");
        let id = process.id();
        drop(process);
        killed.insert(id, now());
        processes.push((role, start(role)));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let (accepted, refused) = (accepted.lock().unwrap().clone(), refused.load(Ordering::SeqCst));
    assert!(refused <= deliveries / 100, "a database that is not down refused {refused}");
    assert!(accepted.len() > deliveries / 2, "the load was refused");
    let took = began.elapsed();
    Storm { load, accepted, refused, killed, worker_kills, took }.drained(database, processes).await
}

impl Storm {
    /// Waits until all jobs are handled, and long enough for a job to be recovered by mistake.
    async fn drained(self, database: &str, processes: Vec<(&str, Process)>) -> Self {
        if database.starts_with("postgres:") {
            #[cfg(feature = "postgres")]
            all_handled(&Inbox::postgres(database).await.unwrap()).await;
        } else {
            all_handled(&Inbox::sqlite(database).await.unwrap()).await;
        }
        tokio::time::sleep(Duration::from_secs(8)).await;
        drop(processes);
        self
    }

    /// Checks that no delivery is missing, handled twice except around a kill, handled at the same time as another of its record, or before an
    /// older one that waited.
    fn check(&self, name: &str, calls: &[Call]) {
        let Self { load, accepted, refused, killed, worker_kills, took } = self;
        let mut handled = HashMap::<usize, Vec<u32>>::new();
        for call in calls {
            handled.entry(call.number).or_default().push(call.process);
        }
        let done: HashSet<_> = calls.iter().filter(|call| !call.cut_off).map(|call| call.number).collect();
        let missing = accepted.keys().filter(|number| !done.contains(number)).count();
        let twice: Vec<_> = handled.values().filter(|processes| processes.len() > 1).collect();
        let unexplained = twice
            .iter()
            .filter(|processes| processes.iter().filter(|process| !killed.contains_key(process)).count() > 1)
            .count();
        let (overlapping, overtaking) = disorder(*load, calls, accepted);
        println!(
            "{name}: {} deliveries in {took:.1?}, {} kills ({worker_kills} of workers): {} answered 2xx, {missing} of them missing, \
             {refused} answered 503; {} handled once, {} more than once, {unexplained} of those not around a kill; {} handled that were \
             not answered; two of a record at once: {overlapping}; before an older one that waited: {overtaking}",
            load.deliveries,
            killed.len(),
            accepted.len(),
            handled.len() - twice.len(),
            twice.len(),
            handled.keys().filter(|number| !accepted.contains_key(number)).count(),
        );
        assert_eq!((missing, unexplained, overlapping, overtaking), (0, 0, 0, 0));
        // The jobs that a worker runs, and as many that it has not completed yet.
        assert!(twice.len() <= worker_kills * 2 * 8, "{} twice, for {worker_kills} kills", twice.len());
    }

    /// Checks the rows that handlers wrote in one commit with their job's completion.
    fn check_rows(&self, name: &str, mut rows: Vec<i64>) {
        let all = rows.len();
        rows.sort_unstable();
        rows.dedup();
        let missing = self
            .accepted
            .keys()
            .filter(|number| rows.binary_search(&i64::try_from(**number).unwrap()).is_err())
            .count();
        println!(
            "{name}, in transactions: {} deliveries, {} kills ({} of workers): {} answered 2xx, {all} rows, {} different, {missing} missing",
            self.load.deliveries,
            self.killed.len(),
            self.worker_kills,
            self.accepted.len(),
            rows.len()
        );
        assert_eq!((all - rows.len(), missing), (0, 0), "each once");
    }
}

/// Waits until all jobs are handled, however slow the disk is, and fails if half a minute brings nothing.
async fn all_handled(inbox: &Inbox<impl Store>) {
    let (mut fewest, mut since) = (u64::MAX, Instant::now());
    loop {
        let counts = inbox.counts().await.unwrap();
        let left = counts.open() + counts.dead;
        if left == 0 {
            return;
        }
        if left < fewest {
            (fewest, since) = (left, Instant::now());
        }
        assert!(since.elapsed() < Duration::from_secs(30), "still {counts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A call of the handler.
struct Call {
    number: usize,
    process: u32,
    began: u128,
    /// When it ended, or its process was killed.
    ended: u128,
    cut_off: bool,
}

fn calls(log: &str, killed: &HashMap<u32, u128>) -> Vec<Call> {
    let mut calls = Vec::<Call>::new();
    let mut open = HashMap::new();
    for line in fs::read_to_string(log).unwrap_or_default().lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let (number, process, time) =
            (fields[1].parse().unwrap(), fields[2].parse().unwrap(), fields[3].parse().unwrap());
        if fields[0] == "begin" {
            open.insert((number, process), calls.len());
            let ended = killed.get(&process).copied().unwrap_or(u128::MAX);
            calls.push(Call { number, process, began: time, ended, cut_off: true });
        } else if let Some(call) = open.remove(&(number, process)) {
            (calls[call].ended, calls[call].cut_off) = (time, false);
        }
    }
    calls
}

/// How many pairs of calls of one record overlapped, and how many calls began before an older one that had been stored for a second.
fn disorder(load: Load, calls: &[Call], accepted: &HashMap<usize, u128>) -> (usize, usize) {
    let mut records = HashMap::<usize, Vec<&Call>>::new();
    for call in calls {
        records.entry(load.record(call.number)).or_default().push(call);
    }
    let (mut overlapping, mut overtaking) = (0, 0);
    for calls in records.values() {
        for (index, call) in calls.iter().enumerate() {
            overlapping +=
                calls[..index].iter().filter(|other| call.began < other.ended && other.began < call.ended).count();
            let waited = |number: usize| {
                let stored = accepted.get(&number).is_some_and(|stored| stored + 1_000 < call.began);
                stored
                    && !calls.iter().any(|other| other.number == number && !other.cut_off && other.ended <= call.began)
            };
            let is_older = |number: &usize| load.updated_at(*number) < load.updated_at(call.number);
            let others: HashSet<_> = calls.iter().map(|other| other.number).collect();
            overtaking += others.into_iter().filter(is_older).filter(|number| waited(*number)).count();
        }
    }
    (overlapping, overtaking)
}

/// Sends like Twenty: once, with a deadline of 5 seconds.
async fn deliver(port: u16, body: &str) -> std::io::Result<u16> {
    let headers = Signer::new(Secret::new(SECRET).unwrap()).sign(body.as_bytes());
    let mut request =
        format!("POST /webhooks/twenty HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    request += "\r\n";
    request += body;
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        status.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    };
    tokio::time::timeout(Duration::from_secs(5), exchange).await?
}
