//! The cost of a claim: in memory, from one and two threads, with a million live entries; and in a Redis on this machine.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use benches::claims::{claim_all, deliveries, memory_guard};
use benches::rounds::median;
use futures_util::future::join_all;
use twenty_webhook_core::{Claim, Delivery, ReplayGuard};
use twenty_webhook_redis::RedisReplayGuard;

const LIVE: usize = 1_000_000;
const CLAIMS: usize = 20_000;
const ROUNDS: usize = 15;

fn main() {
    println!("| claim and complete | µs |\n|---|---:|");
    memory(1);
    memory(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it has no threads");
    runtime.block_on(redis());
}

/// CPU time per claim. Includes the CPU time of waiting for other threads.
fn memory(threads: usize) {
    let guard = memory_guard(LIVE);
    let mut next = LIVE;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let shares: Vec<Vec<Delivery>> =
            (0..threads).map(|thread| deliveries(next + thread * CLAIMS, CLAIMS)).collect();
        next += threads * CLAIMS;
        times.extend(thread::scope(|scope| {
            let running: Vec<_> = shares.iter().map(|share| scope.spawn(|| claim_all(&guard, share))).collect();
            running.into_iter().map(|thread| thread.join().expect("it does not panic")).collect::<Vec<_>>()
        }));
    }
    println!("| in memory, {LIVE} live, {threads} at once | {:.3} |", median(times) / 1e3);
}

async fn redis() {
    let server = Redis::start();
    let guard = RedisReplayGuard::new(&format!("redis://127.0.0.1:{}", server.port)).expect("it is a URL");
    let mut next = 0;
    for at_once in [1, 64] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let deliveries = deliveries(next, 2048);
            next += deliveries.len();
            let start = Instant::now();
            for together in deliveries.chunks(at_once) {
                join_all(together.iter().map(|delivery| claim(&guard, delivery))).await;
            }
            times.push(start.elapsed().as_secs_f64() * 1e6 / deliveries.len() as f64);
        }
        println!("| on Redis, {at_once} at once, two round trips each, by the clock | {:.1} |", median(times));
    }
}

async fn claim(guard: &RedisReplayGuard, delivery: &Delivery) {
    let claim = guard.claim(delivery).await.expect("it is there");
    let Claim::New(lease) = claim else { panic!("{claim:?}") };
    guard.complete(lease).await.expect("it is there");
}

/// A `redis-server` without files. It ends when this is dropped.
struct Redis {
    port: u16,
    process: Child,
}

impl Redis {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("there is a free port").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        Self { port, process }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
