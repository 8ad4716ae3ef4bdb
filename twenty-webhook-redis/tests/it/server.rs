use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use twenty_webhook_redis::RedisReplayGuard;

/// A `redis-server` on a free port, without files. It ends when this is dropped.
pub(crate) struct Server {
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut server = Self::not_yet_started();
        server.restart();
        server
    }

    pub(crate) fn not_yet_started() -> Self {
        Self { port: free_port(), process: None }
    }

    /// Starts it without data, on the same port as before.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--enable-debug-command", "local"])
            .stdout(Stdio::null())
            .spawn();
        self.process = match process {
            Ok(process) => Some(process),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("these tests need redis-server; on Debian and Ubuntu: apt-get install redis-server")
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen on port {}", self.port);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Pauses the process. Its connections stay open.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn unpause(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn guard(&self) -> RedisReplayGuard {
        RedisReplayGuard::new(&self.url()).unwrap()
    }

    /// Sends one command on a new connection. Returns the answer, which must fit into one read.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(stream, "{command}\r\n").unwrap();
        let mut answer = [0; 4096];
        let len = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..len]).trim_end().to_owned()
    }

    /// Sends a command whose answer is a number.
    pub(crate) fn number(&self, command: &str) -> i64 {
        let answer = self.command(command);
        answer.trim_start_matches(':').parse().unwrap_or_else(|_| panic!("{command}: {answer}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A free port below those that the system gives to clients, so that no client takes it while the server is down.
fn free_port() -> u16 {
    let random = || 20_000 + u16::try_from(getrandom::u32().unwrap() % 10_000).unwrap();
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(random).find(is_free).unwrap()
}
