//! An example receiver, built and run as a user does it.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::samples::SECRET;

pub(super) struct Process {
    child: KillOnDrop,
    addr: SocketAddr,
    handled: Lines,
    log: Lines,
    /// Kept open and never read.
    _unread: Option<ChildStderr>,
}

/// A process that is killed when it is dropped, so that it does not outlive a failed test.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The output of a receiver's run.
pub(super) struct Report {
    /// The record ids of the events that the handler printed, and their counts.
    pub(super) handled: BTreeMap<String, usize>,
    /// The codes of the rejections in the log, and their counts.
    pub(super) rejected: BTreeMap<String, usize>,
}

/// How an example is started.
pub(super) struct Setup<'a> {
    example: &'a str,
    vars: HashMap<&'a str, String>,
    listener: Option<OwnedFd>,
    descriptors: Option<u32>,
    stdout_closed: bool,
    log: Log,
}

/// What reads the log after the receiver listens.
#[derive(PartialEq, Eq)]
pub(super) enum Log {
    Read,
    /// The reader has closed the pipe.
    Closed,
    /// The reader has stopped, and the pipe is small.
    Unread,
}

impl<'a> Setup<'a> {
    pub(super) fn of(example: &'a str) -> Self {
        Self::with_inbox(example, &new_inbox())
    }

    /// With the inbox in this file, if the example has one.
    pub(super) fn with_inbox(example: &'a str, file: &str) -> Self {
        let vars = HashMap::from([
            ("LISTEN_ADDR", "127.0.0.1:0".to_owned()),
            ("TWENTY_WEBHOOK_SECRET", SECRET.to_owned()),
            ("INBOX_DB", file.to_owned()),
            ("NO_COLOR", "1".to_owned()),
            // Returns freed memory to the system at once, so that the resident size is the used size.
            ("MALLOC_MMAP_THRESHOLD_", "65536".to_owned()),
            ("MALLOC_TRIM_THRESHOLD_", "65536".to_owned()),
        ]);
        Self { example, vars, listener: None, descriptors: None, stdout_closed: false, log: Log::Read }
    }

    /// Passes this socket in `LISTEN_FDS`, as systemd does.
    pub(super) fn listener(mut self, listener: &TcpListener) -> Self {
        self.listener = Some(listener.try_clone().unwrap().into());
        self
    }

    /// Limits how many files and sockets it may have open.
    pub(super) fn descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
        self
    }

    pub(super) fn log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    pub(super) fn close_stdout(mut self) -> Self {
        self.stdout_closed = true;
        self
    }

    /// Starts it, and waits until it listens.
    pub(super) fn start(self) -> Process {
        // The shell becomes the receiver, so LISTEN_PID is right.
        let mut script = String::new();
        let mut stdin = Stdio::null();
        if let Some(listener) = self.listener {
            stdin = listener.into();
            script += "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; ";
        }
        if let Some(limit) = self.descriptors {
            script += &format!("ulimit -n {limit}; ");
        }
        let mut child = Command::new("/bin/sh")
            .args(["-c", &format!("{script} exec \"$0\"")])
            .arg(built(self.example))
            .env_clear()
            .envs(self.vars)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().filter(|_| !self.stdout_closed);
        let handled = stdout.map_or_else(Lines::none, Lines::of);
        let stderr = child.stderr.take().unwrap();
        if self.log == Log::Unread {
            fcntl_setpipe_size(&stderr, 4096).unwrap();
        }
        let child = KillOnDrop(child);
        let (mut stderr, mut line) = (BufReader::new(stderr), String::new());
        let addr = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{} ended before it listened", self.example);
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.split_once('/').unwrap().0.parse().unwrap();
            }
        };
        let (log, unread) = match self.log {
            Log::Read => (Lines::of(stderr), None),
            Log::Closed => (Lines::none(), None),
            Log::Unread => (Lines::none(), Some(stderr.into_inner())),
        };
        Process { child, addr, handled, log, _unread: unread }
    }
}

/// The path of an inbox that does not exist yet.
pub(super) fn new_inbox() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = format!("{}/inbox-{process}-{count}", env!("CARGO_TARGET_TMPDIR"));
    // An earlier process with the same id may have left files.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    format!("{folder}/inbox.db")
}

/// The lines that a process has printed so far.
struct Lines {
    so_far: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn none() -> Self {
        Self { so_far: Arc::default(), reader: None }
    }

    fn of(output: impl Read + Send + 'static) -> Self {
        let so_far = Arc::<Mutex<Vec<String>>>::default();
        let lines = so_far.clone();
        let read = move || BufReader::new(output).lines().for_each(|line| lines.lock().unwrap().push(line.unwrap()));
        Self { so_far, reader: Some(thread::spawn(read)) }
    }

    fn so_far(&self) -> Vec<String> {
        self.so_far.lock().unwrap().clone()
    }

    /// All lines, after the process has ended.
    fn all(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

/// The line that an example prints for an event.
#[derive(Deserialize)]
struct Printed {
    record_id: String,
}

fn record_ids(lines: Vec<String>) -> Vec<String> {
    let record_id = |line: String| serde_json::from_str::<Printed>(&line).unwrap().record_id;
    lines.into_iter().map(record_id).collect()
}

impl Process {
    /// Starts the example of this name, on a free port, and waits until it listens.
    pub(super) fn start(example: &str) -> Self {
        Setup::of(example).start()
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        // Limits, so that a test fails instead of hanging.
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

    /// Peak resident memory, in bytes.
    pub(super) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
        peak.trim().parse::<usize>().unwrap() * 1024
    }

    /// How many files and sockets it has open.
    pub(super) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.0.id())).unwrap().count()
    }

    /// The CPU time that it has used.
    pub(super) fn cpu_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.stat();
        // utime and stime.
        stat.split(' ').skip(11).take(2).map(|ticks| TICK * ticks.parse::<u32>().unwrap()).sum()
    }

    /// The fields of `/proc/…/stat` after the name: the state first.
    fn stat(&self) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.to_owned()
    }

    /// The record ids of the events that the handler has printed so far.
    pub(super) fn handled(&self) -> Vec<String> {
        record_ids(self.handled.so_far())
    }

    /// A new connection that the receiver has accepted. Nothing has been sent on it.
    pub(super) fn connect_accepted(&self) -> TcpStream {
        let stream = self.connect();
        let (client, server) = (stream.local_addr().unwrap().port(), self.addr.port());
        // In the kernel's table, a connection has no inode until it is accepted.
        let is_accepted = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[1].ends_with(&format!(":{server:04X}"))
                && fields[2].ends_with(&format!(":{client:04X}"))
                && fields[9] != "0"
        };
        eventually("the connection is accepted", || {
            fs::read_to_string("/proc/net/tcp").unwrap().lines().skip(1).any(is_accepted)
        });
        stream
    }

    /// Waits until its shutdown has started.
    pub(super) fn wait_for_shutdown(&self) {
        eventually("the shutdown starts", || self.logged("shutting down") > 0);
    }

    /// How many lines of the log contain `text` so far.
    pub(super) fn logged(&self, text: &str) -> usize {
        self.log.so_far.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.0), signal).unwrap();
    }

    /// Runs `action` while the process is stopped, as on a machine without free CPU time.
    pub(super) fn while_stopped<T>(&self, action: impl FnOnce() -> T) -> T {
        self.signal(Signal::STOP);
        eventually("the process is stopped", || self.stat().starts_with('T'));
        let result = action();
        self.signal(Signal::CONT);
        result
    }

    /// Shuts it down with SIGTERM, and waits for its end.
    pub(super) fn stop(self) -> Report {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits until it has ended.
    pub(super) fn ended(mut self) -> Report {
        let status = self.child.0.wait().unwrap();
        let (handled, log) = (self.handled.all(), self.log.all());
        assert!(status.success(), "{status}: {log:#?}");
        assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
        Report {
            handled: count(record_ids(handled)),
            rejected: count(
                log.iter().filter_map(|line| Some(line.split_once("code=\"")?.1.split_once('"')?.0.to_owned())),
            ),
        }
    }
}

/// Waits until a condition is true, for at most 20 seconds.
pub(super) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn count(names: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    names.into_iter().fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

/// The example's binary, in the profile and target directory of the tests.
pub(super) fn built(example: &str) -> PathBuf {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    // target/debug/deps/it-…
    let deps = env::current_exe().unwrap();
    let directory = deps.ancestors().nth(2).unwrap();
    let mut built = BUILT.lock().unwrap();
    if !built.iter().any(|built| built == example) {
        let profile = match directory.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", example, "--profile", profile])
            .arg("--target-dir")
            .arg(directory.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success(), "{example} builds");
        built.push(example.to_owned());
    }
    directory.join(example)
}
