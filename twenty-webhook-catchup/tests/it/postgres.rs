//! A real Postgres, started here from Debian's `postgresql`.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// It stops when it is dropped.
pub(crate) struct Server {
    programs: PathBuf,
    dir: TempDir,
    port: u16,
}

impl Server {
    /// Debian's `postgresql` must be installed.
    pub(crate) fn start() -> Self {
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("Debian's `postgresql` is installed");
        let programs = versions.map(|version| version.unwrap().path()).max().unwrap().join("bin");
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(dir.path()).status().unwrap().success());
        }
        let server = Self { programs, dir, port };
        server.run("initdb", &["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=");
        server.run("pg_ctl", &["--wait", "--silent", "--log=/dev/null", "--options", &options, "start"]);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Postgres refuses to run as root.
    fn run(&self, program: &str, args: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let data = self.dir.path().join("data");
        let status = command.arg("--pgdata").arg(data).args(args).current_dir("/").stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["--wait", "--silent", "--mode", "immediate", "stop"]);
    }
}

/// Below the ports that the system gives to clients: nothing takes it until the server listens.
fn free_port() -> u16 {
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(20_000..30_000)).find(is_free).unwrap()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
