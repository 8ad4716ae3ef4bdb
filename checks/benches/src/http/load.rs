use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::task::LocalSet;

use super::Requests;

/// The result of a load: the latency of each request, and the total time.
pub struct Load {
    /// From the first byte written to the last byte of the answer, sorted.
    pub latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Load {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `percent` of the requests did not exceed, in microseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.latencies[(self.latencies.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }
}

/// Sends requests over several connections, one after another on each, until the time is over. Each answer must be 200.
pub fn run(addr: SocketAddr, connections: usize, requests: Requests, time: Duration) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it has no threads");
    LocalSet::new().block_on(&runtime, async {
        let requests = Rc::new(requests);
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(addr).await.expect("it listens");
            stream.set_nodelay(true).expect("TCP has it");
            streams.push(stream);
        }
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for stream in streams {
            tasks.spawn_local(send_until(stream, Rc::clone(&requests), start + time));
        }
        let mut latencies: Vec<Duration> = tasks.join_all().await.concat();
        let elapsed = start.elapsed();
        latencies.sort_unstable();
        Load { latencies, elapsed }
    })
}

async fn send_until(mut stream: TcpStream, requests: Rc<Requests>, end: Instant) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(4096);
    let mut request = requests.template();
    let mut answer = [0; 1024];
    let mut start = Instant::now();
    while start < end && requests.write_next(&mut request) {
        stream.write_all(&request).await.expect("it reads");
        let mut len = 0;
        while !answer[..len].ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut answer[len..]).await.expect("it answers");
            assert!(read > 0, "the receiver hung up");
            len += read;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..len]));
        let now = Instant::now();
        latencies.push(now - start);
        start = now;
    }
    latencies
}
