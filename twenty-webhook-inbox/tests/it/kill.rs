//! Processes killed at random under load: what was answered 2xx is handled, and nothing twice but around a kill.

use std::collections::{HashMap, HashSet};
use std::env;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twenty_webhook_core::Signer;
use twenty_webhook_inbox::Secret;

use crate::child::Process;
use crate::support::{Place, SECRET, body, free_port, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let place = Place::new();
    let log = place.dir.path().join("handled");
    storm(place.path().to_str().unwrap(), log.to_str().unwrap()).await;
    until(&place.open().await, |counts| counts.open() == 0 && counts.dead == 0).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let server = crate::postgres::Server::start();
    let place = Place::new();
    let log = place.dir.path().join("handled");
    storm(&server.url(), log.to_str().unwrap()).await;
    let inbox = twenty_webhook_inbox::Inbox::postgres(&server.url()).await.unwrap();
    until(&inbox, |counts| counts.open() == 0 && counts.dead == 0).await;
}

fn from_env(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn random(below: usize) -> usize {
    getrandom::u32().unwrap() as usize % below
}

async fn storm(database: &str, log: &str) {
    let (deliveries, kills) = (from_env("KILL_DELIVERIES", 10_000), from_env("KILL_KILLS", 20));
    let port = free_port();
    let start = |role| Process::start(role, database, port, log);
    let mut processes = vec![("receiver", start("receiver")), ("worker", start("worker")), ("worker", start("worker"))];

    let began = Instant::now();
    let (sent, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(HashSet::new())));
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
                    match deliver(port, &body("person.created", number)).await {
                        Ok(202) => assert!(accepted.lock().unwrap().insert(number)),
                        Ok(503) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                        Ok(status) => panic!("{status}"),
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            })
        })
        .collect();

    let mut moments: Vec<_> = (0..kills).map(|_| random(deliveries)).collect();
    moments.sort_unstable();
    let (mut killed, mut receivers_killed) = (HashSet::new(), 0);
    for moment in moments {
        while sent.load(Ordering::SeqCst) < moment {
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        let (role, process) = processes.swap_remove(random(processes.len()));
        receivers_killed += usize::from(role == "receiver");
        killed.insert(process.id());
        drop(process);
        processes.push((role, start(role)));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let load = began.elapsed();

    let accepted = accepted.lock().unwrap().clone();
    let handled = || {
        let mut handled = HashMap::<usize, Vec<u32>>::new();
        for line in fs::read_to_string(log).unwrap().lines() {
            let (number, process) = line.split_once(' ').unwrap();
            handled.entry(number.parse().unwrap()).or_default().push(process.parse().unwrap());
        }
        handled
    };
    let all = || {
        let handled = handled();
        accepted.iter().all(|number| handled.contains_key(number))
    };
    while began.elapsed() < load + Duration::from_mins(2) && !all() {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let drained = began.elapsed();
    // Long enough for an orphan to come back that should not.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (handled, refused) = (handled(), refused.load(Ordering::SeqCst));
    let missing = accepted.iter().filter(|number| !handled.contains_key(number)).count();
    let twice: Vec<_> = handled.values().filter(|processes| processes.len() > 1).collect();
    let unexplained = twice
        .iter()
        .filter(|processes| processes.iter().filter(|process| !killed.contains(process)).count() > 1)
        .count();
    println!(
        "{}: {} deliveries in {load:.1?}, handled after {drained:.1?}, {kills} kills ({receivers_killed} of receivers): {} answered 2xx, {} \
         of them missing, {refused} answered 503; {} handled once, {} more than once, {unexplained} of those not around a kill; {} handled \
         that were not answered",
        database.split(['/', ':']).next().filter(|scheme| !scheme.is_empty()).unwrap_or("sqlite"),
        deliveries,
        accepted.len(),
        missing,
        handled.len() - twice.len(),
        twice.len(),
        handled.keys().filter(|number| !accepted.contains(number)).count(),
    );
    assert_eq!((missing, unexplained), (0, 0));
    // What a worker of ours has under way, and as much again that it has not settled yet.
    assert!(twice.len() <= (kills - receivers_killed) * 2 * 8, "{} twice, for {kills} kills", twice.len());
    assert!(refused <= deliveries / 100, "a database that is not down refused {refused}");
    assert!(accepted.len() > deliveries / 2, "the load was refused");
}

/// As Twenty sends: once, and for 5 seconds.
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
