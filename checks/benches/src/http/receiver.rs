use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::RECEIVER_CORE;
use crate::samples::SECRET;

/// A receiver on [`RECEIVER_CORE`]. It ends when this is dropped.
pub struct Receiver {
    /// Its name in the tables.
    pub name: String,
    process: Child,
    addr: SocketAddr,
}

/// The resources that a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU time of all its threads.
    pub cpu: Duration,
    /// Peak memory, in MiB.
    pub peak_mib: f64,
}

impl Receiver {
    /// Starts `src/bin/receiver`, whose path is `binary`.
    pub fn start(binary: &str, framework: &str, kind: &str) -> Self {
        Self::spawn(format!("{framework}: {kind}"), &[binary, framework, kind])
    }

    /// Starts `receiver.mjs`.
    pub fn start_node() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/receiver.mjs");
        Self::spawn("Node".to_owned(), &["node", script, SECRET])
    }

    fn spawn(name: String, command: &[&str]) -> Self {
        let mut process = Command::new("taskset")
            .args(["--cpu-list", &RECEIVER_CORE.to_string()])
            .args(command)
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset is of util-linux");
        let mut port = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut port).expect("it prints a line");
        let port = port.trim().parse().expect("the line is its port");
        Self { name, process, addr: ([127, 0, 0, 1], port).into() }
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its usage so far.
    pub fn usage(&self) -> Usage {
        let id = self.process.id();
        let threads = fs::read_dir(format!("/proc/{id}/task")).expect("it runs");
        let nanos = |task: std::io::Result<fs::DirEntry>| -> Option<u64> {
            // A thread that has just ended has no file.
            let schedstat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            schedstat.split(' ').next()?.parse().ok()
        };
        let cpu = Duration::from_nanos(threads.filter_map(nanos).sum());
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux has it");
        let kib: f64 = peak.trim().trim_end_matches(" kB").parse().expect("it is a number");
        Usage { cpu, peak_mib: kib / 1024.0 }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
