use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

pub(crate) const SECRET: &str = "s3cret";

/// How often each delivery was handled, by its id in hex.
pub(crate) type Handled = HashMap<String, u32>;

/// An example receiver as a process.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    child: Child,
    handled: Arc<Mutex<Handled>>,
    reader: JoinHandle<io::Result<()>>,
}

impl Receiver {
    /// Builds it in the profile of this program, starts it, and waits until it listens.
    pub(crate) fn start(example: &str) -> Result<Self, Box<dyn Error>> {
        let cargo = env::var_os("CARGO").ok_or("run this with cargo")?;
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let built = Command::new(cargo).args(["build", "--quiet", "--profile", profile, "-p", example]).status()?;
        if !built.success() {
            return Err(format!("{example} does not build").into());
        }
        let this = env::current_exe()?;
        let mut child = Command::new(this.with_file_name(example))
            .env_clear()
            .envs([("LISTEN_ADDR", "127.0.0.1:0"), ("TWENTY_WEBHOOK_SECRET", SECRET)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut stderr = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let addr = loop {
            let mut line = String::new();
            if stderr.read_line(&mut line)? == 0 {
                return Err(format!("{example} ended before it listened").into());
            }
            if let Some((_, url)) = line.split_once("listening on http://") {
                break url.split('/').next().unwrap_or_default().parse()?;
            }
        };
        thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
        let handled = Arc::<Mutex<Handled>>::default();
        let counts = handled.clone();
        let reader = thread::spawn(move || {
            for line in stdout.lines() {
                let line = line?;
                let id = line.split(r#""delivery_id":""#).nth(1).and_then(|rest| rest.get(..64)).unwrap_or(&line);
                *counts.lock().unwrap_or_else(PoisonError::into_inner).entry(id.to_owned()).or_default() += 1;
            }
            Ok(())
        });
        Ok(Self { addr, child, handled, reader })
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<usize, Box<dyn Error>> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: usize = statm.split(' ').nth(1).ok_or("no resident size")?.parse()?;
        Ok(pages * 4096)
    }

    pub(crate) fn descriptors(&self) -> io::Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Shuts it down, and waits for its last line.
    pub(crate) fn stop(mut self) -> Result<Handled, Box<dyn Error>> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("the receiver failed: {status}").into());
        }
        self.reader.join().map_err(|_| "the reader panicked")??;
        let handled = std::mem::take(&mut *self.handled.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(handled)
    }
}
