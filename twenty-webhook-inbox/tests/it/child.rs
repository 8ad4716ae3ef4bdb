//! The same test binary, run again as a receiver or a worker: a process that can be killed.

use std::env;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use twenty_webhook_inbox::{Inbox, Secret, Store, WebhookEvent};

use crate::support::SECRET;

/// A process with a role, killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(role: &str, database: &str, port: u16, log: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child::as_child", "--ignored", "--nocapture", "--test-threads=1"])
            .envs([("ROLE", role), ("DATABASE", database), ("PORT", &port.to_string()), ("HANDLED", log)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        assert!(stdout.lines().any(|line| line.unwrap().ends_with("ready")), "{role} does not start");
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// SIGKILL.
impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
#[ignore = "run by the other tests"]
fn as_child() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(env::var("LOG").unwrap_or("off".into()))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let database = env::var("DATABASE").unwrap();
        #[cfg(feature = "postgres")]
        if database.starts_with("postgres:") {
            return play(Inbox::postgres(&database).await.unwrap()).await;
        }
        play(Inbox::sqlite(database).await.unwrap()).await;
    });
}

async fn play(inbox: Inbox<impl Store>) {
    if env::var("ROLE").unwrap() == "receiver" {
        let app = axum::Router::new().route("/webhooks/twenty", inbox.receiver(Secret::new(SECRET).unwrap()));
        let address = format!("127.0.0.1:{}", env::var("PORT").unwrap());
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        println!("ready");
        axum::serve(listener, app).await.unwrap();
    } else {
        let handled = OpenOptions::new().create(true).append(true).open(env::var("HANDLED").unwrap()).unwrap();
        let handled = Arc::new(handled);
        // When it began and when it ended: two of a record must not overlap.
        let handler = move |event: WebhookEvent| {
            let handled = handled.clone();
            async move {
                let (began, process) = (now(), std::process::id());
                let number = event.extra().get("number").unwrap().as_str().to_owned();
                (&*handled).write_all(format!("begin {number} {process} {began}\n").as_bytes())?;
                tokio::time::sleep(Duration::from_millis(4)).await;
                (&*handled).write_all(format!("end {number} {process} {}\n", now()).as_bytes())?;
                Ok::<_, std::io::Error>(())
            }
        };
        println!("ready");
        inbox
            .worker("child", handler)
            .recover_after(Duration::from_secs(5))
            .run_until(std::future::pending::<()>())
            .await;
    }
}

/// Milliseconds since 1970: the storm and its processes are on one machine.
pub(crate) fn now() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}
