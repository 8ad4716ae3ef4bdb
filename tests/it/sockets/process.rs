//! An example receiver, built and run as a user would.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::samples::SECRET;

pub(super) struct Process {
    child: Killed,
    addr: SocketAddr,
    handled: JoinHandle<Vec<Printed>>,
    log: JoinHandle<()>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A process that does not outlive the test, if that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a run of a receiver left behind.
pub(super) struct Report {
    /// The record ids of the events that the handler printed, and how often.
    pub(super) handled: BTreeMap<String, usize>,
    /// The codes of the refusals in the log, and how often.
    pub(super) refused: BTreeMap<String, usize>,
}

/// The line that an example prints for an event.
#[derive(Deserialize)]
struct Printed {
    record_id: String,
}

impl Process {
    /// Starts the example of this name, on a free port, and waits until it listens.
    pub(super) fn start(example: &str) -> Self {
        let mut child = Command::new(built(example))
            .env_clear()
            .envs([("LISTEN_ADDR", "127.0.0.1:0"), ("TWENTY_WEBHOOK_SECRET", SECRET), ("NO_COLOR", "1")])
            // What is freed goes back to the system at once, so that the resident size is what is held.
            .envs([("MALLOC_MMAP_THRESHOLD_", "65536"), ("MALLOC_TRIM_THRESHOLD_", "65536")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let handled =
            thread::spawn(|| stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect());

        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let addr = loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{example} ended before it listened");
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.split_once('/').unwrap().0.parse().unwrap();
            }
        };
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let into = lines.clone();
        let log = thread::spawn(move || stderr.lines().for_each(|line| into.lock().unwrap().push(line.unwrap())));
        Self { child: Killed(child), addr, handled, log, lines }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        // A test fails in the end, rather than to wait for ever.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Resident memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        const PAGE: usize = 4096;
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.0.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
    }

    /// The most resident memory that it ever had, in bytes.
    pub(super) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
        peak.trim().parse::<usize>().unwrap() * 1024
    }

    /// How many files and sockets it has open.
    pub(super) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.0.id())).unwrap().count()
    }

    /// Asks it to shut down, and waits until it has done so.
    pub(super) fn stop(mut self) -> Report {
        let id = self.child.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.0.wait().unwrap();
        let handled = self.handled.join().unwrap();
        self.log.join().unwrap();
        let log = self.lines.lock().unwrap();
        assert!(status.success(), "{status}: {log:#?}");
        assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
        Report {
            handled: count(handled.into_iter().map(|printed| printed.record_id)),
            refused: count(
                log.iter().filter_map(|line| Some(line.split_once("code=\"")?.1.trim_end_matches('"').to_owned())),
            ),
        }
    }
}

/// Waits for something that must become true soon.
pub(super) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn count(of: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    of.into_iter().fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one).or_default() += 1;
        counts
    })
}

/// The example's binary, in the profile and target directory of the tests.
fn built(example: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        // target/debug/deps/it-…
        let deps = env::current_exe().unwrap();
        let directory = deps.ancestors().nth(2).unwrap();
        let profile = match directory.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "axum-receiver", "-p", "actix-receiver", "--profile", profile])
            .arg("--target-dir")
            .arg(directory.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success(), "the examples build");
        directory.to_owned()
    });
    directory.join(example)
}
