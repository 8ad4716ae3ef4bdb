//! Receivers in separate processes that share a Redis. Some are killed.

use std::env;
use std::future;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::handler::Handler;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use twenty_webhook_axum::{Secret, Signer, TwentyWebhookLayer, Webhook, WebhookConfig};
use twenty_webhook_redis::RedisReplayGuard;

use crate::server::Server;

const SECRET: &str = "s3cret";
const LEASE: Duration = Duration::from_secs(2);

#[test]
fn two_processes_of_the_example_handle_each_delivery_once() {
    let server = Server::start();
    let example = built_example();
    let start = || Receiver::start(Command::new(&example).env("REDIS_URL", server.url()));
    let receivers = [start(), start()];
    for delivery in 0..10 {
        let body = format!(r#"{{"eventName":"person.created","record":{{"id":"{delivery}"}}}}"#);
        let copies: Vec<_> = (0..10)
            .map(|copy| {
                let (addr, body) = (receivers[copy % 2].addr, body.clone());
                thread::spawn(move || deliver(addr, &body))
            })
            .collect();
        let statuses: Vec<u16> = copies.into_iter().map(|copy| copy.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert_eq!(deliver(receivers[delivery % 2].addr, &body), 200);
    }
    let mut handled: Vec<String> = receivers.into_iter().flat_map(Receiver::stop).collect();
    handled.sort_unstable();
    assert_eq!(handled.len(), 10, "{handled:#?}");
    handled.dedup();
    assert_eq!(handled.len(), 10, "{handled:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_receiver_takes_over_from_a_killed_one_after_the_lease() {
    let server = Server::start();
    let body = r#"{"eventName":"person.created","record":{"id":"1"}}"#;
    let mut killed = Receiver::start(
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::a_receiver_whose_handler_never_ends", "--ignored", "--nocapture"])
            .env("REDIS_URL", server.url()),
    );
    let addr = killed.addr;
    // The connection stays open, because hyper drops a request whose sender hangs up before it was read.
    let mut sender = TcpStream::connect(addr).unwrap();
    sender.write_all(&request(body)).unwrap();
    killed.wait_for("handling");
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();

    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let other = serve(&server.url(), |_: Webhook| async move {
        count.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK
    })
    .await;
    let copy = async || tokio::task::spawn_blocking(move || deliver(other, body)).await.unwrap();
    assert_eq!(copy().await, 409, "the lease is still held");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    tokio::time::sleep(LEASE).await;
    assert_eq!(copy().await, 200);
    assert_eq!(copy().await, 200);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by another_receiver_takes_over_from_a_killed_one_after_the_lease"]
async fn a_receiver_whose_handler_never_ends() {
    let addr = serve(&env::var("REDIS_URL").unwrap(), async |_: Webhook| -> StatusCode {
        println!("handling");
        future::pending().await
    })
    .await;
    eprintln!("listening on http://{addr}/");
    future::pending::<()>().await;
}

async fn serve<T: 'static>(redis: &str, handler: impl Handler<T, ()>) -> SocketAddr {
    let guard = RedisReplayGuard::new(redis).unwrap().lease(LEASE);
    let config = WebhookConfig::new(Secret::new(SECRET).unwrap()).replay_guard(guard);
    let webhook = TwentyWebhookLayer::new(config);
    let app = Router::new().route("/webhooks/twenty", post(handler).layer(webhook));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    addr
}

/// A process that prints its address to stderr and the events it handles to stdout.
struct Receiver {
    process: Child,
    addr: SocketAddr,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Receiver {
    fn start(command: &mut Command) -> Self {
        let mut process = command
            .envs([("TWENTY_WEBHOOK_SECRET", SECRET), ("LISTEN_ADDR", "127.0.0.1:0"), ("NO_COLOR", "1")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let addr = loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before it listened");
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.split_once('/').unwrap().0.parse().unwrap();
            }
        };
        // Reads its log, so that the pipe never blocks it.
        thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { process, addr, stdout }
    }

    /// Reads its output up to this word.
    fn wait_for(&mut self, word: &str) {
        let mut printed = String::new();
        while !printed.contains(word) {
            assert_ne!(self.stdout.read_line(&mut printed).unwrap(), 0, "{printed}");
        }
    }

    /// Shuts it down. Returns the lines that it printed.
    fn stop(mut self) -> Vec<String> {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
        self.stdout.by_ref().lines().map(Result::unwrap).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

fn deliver(addr: SocketAddr, body: &str) -> u16 {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(&request(body)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn request(body: &str) -> Vec<u8> {
    let mut request =
        format!("POST /webhooks/twenty HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in &Signer::new(Secret::new(SECRET).unwrap()).sign(body.as_bytes()) {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    request += "\r\n";
    request += body;
    request.into_bytes()
}

fn built_example() -> PathBuf {
    // target/debug/deps/it-…
    let directory = env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let profile = if directory.ends_with("debug") { "dev" } else { "release" };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "axum-redis-receiver", "--profile", profile, "--target-dir"])
        .arg(directory.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "the example builds");
    directory.join("axum-redis-receiver")
}
