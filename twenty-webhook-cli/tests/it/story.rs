//! "From nothing to a working webhook" of docs/cli.md: its commands, as they are printed there.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use twenty_webhook_testing::FakeTwenty;

use crate::support::{Server, command, exchange, text};
use crate::tunnel::program;
use crate::twenty::{lines, run_on};

/// The blocks of shell commands in that section.
fn blocks() -> Vec<String> {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, story) = guide.split_once("## From nothing to a working webhook\n").unwrap();
    let (story, _) = story.split_once("\n## ").unwrap();
    let blocks = story.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned());
    blocks.collect()
}

/// A reader's shell in a new folder, with the tool on the PATH.
struct Reader {
    dir: tempfile::TempDir,
}

impl Reader {
    fn shell(&self, script: &str) -> Command {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_twenty-webhook")).parent().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(self.dir.path());
        for variable in ["TWENTY_URL", "TWENTY_API_KEY", "TWENTY_WEBHOOK_SECRET"] {
            shell.env_remove(variable);
        }
        shell.env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap()));
        shell
    }
}

fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} is not in: {text}");
    text.replace(old, new)
}

#[test]
fn the_commands_of_the_guide_work_as_printed() {
    let twenty = FakeTwenty::start();
    let reader = Reader { dir: tempfile::tempdir().unwrap() };
    let [listen, send, register, doctor] = &blocks()[..] else { panic!("four steps") };

    // 1. See what Twenty sends. The address and the key are the reader's; `exec`, so that Ctrl-C reaches it; any free port.
    let settings =
        replaced(&replaced(listen, "https://crm.example.com", &twenty.url()), "=…", &format!("={}", twenty.api_key()));
    let (export, listen) = settings.trim_end().split_once('\n').unwrap();
    let dir = program("cloudflared", "echo 'INF |  https://a-b-c.trycloudflare.com  |' >&2; exec sleep 60");
    let mut shell = reader.shell(&format!("{export}\nexec {listen} --addr 0"));
    let path = shell.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_str().unwrap().to_owned();
    shell.env("PATH", format!("{}:{path}", dir.path().display()));
    let server = Server::start(shell, "Listening on ");
    while !server
        .stderr
        .recv_timeout(std::time::Duration::from_secs(30))
        .unwrap()
        .contains("Created the temporary webhook")
    {}
    let registered = &lines(&run_on(&twenty, &["webhooks", "list", "--json"]))[0];
    assert_eq!(registered["target_url"], "https://a-b-c.trycloudflare.com/");
    assert_eq!(registered["operations"], json!(["person.*"]));
    // What the tunnel does: its URL leads to the port.
    retarget(&twenty, registered, &server.url);
    twenty.create("person", json!({}));
    let line = server.line();
    assert!(line.contains("200 verified") && line.contains("person.created"), "{line}");
    let (status, _, stderr) = server.interrupt();
    assert!(status.success() && stderr.contains("Removed the temporary webhook."), "{stderr}");

    // 2. Build the receiver. It listens on a free port, with the secret of the story.
    let secret = send.split_once("TWENTY_WEBHOOK_SECRET=").unwrap().1.lines().next().unwrap();
    let mut receiver = command(&["listen", "--addr", "127.0.0.1:0", "--json"]);
    receiver.env("TWENTY_WEBHOOK_SECRET", secret);
    let receiver = Server::start(receiver, "Listening on ");
    let send = replaced(send, "http://127.0.0.1:8080", receiver.url.trim_end_matches('/'));
    let output = run(&reader, &send);
    let codes: Vec<_> = (0..2).map(|_| receiver.report()["verdict"].clone()).collect();
    assert_eq!(codes, ["verified", "rejected"], "{output:?}");
    assert_eq!(output.status.code(), Some(1), "it rejected the second: {output:?}");

    // 3. Register it, where it is deployed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let deployed = format!("http://127.0.0.1:{port}");
    let output = run(&reader, &format!("{export}\n{}", replaced(register, "https://hooks.example.com", &deployed)));
    assert!(output.status.success(), "{output:?}");
    let secret = reader.dir.path().join("secret");
    let receiver = Server::listen_at(&format!("127.0.0.1:{port}"), &["--secret-file", secret.to_str().unwrap()]);

    // 4. Check all of it. This target is private.
    let output = run(&reader, &format!("{export}\n{} --private-allowed", doctor.trim_end()));
    assert!(output.status.success(), "{output:?}");
    let shown = text(&output.stdout);
    assert!(
        !shown.lines().any(|line| line.starts_with("wrong")) && shown.contains("the operations cover person.*"),
        "{shown}"
    );
    for _ in 0..2 {
        receiver.line();
    }
    twenty.create("person", json!({}));
    assert_eq!(receiver.report()["verdict"], "verified");
}

fn run(reader: &Reader, script: &str) -> Output {
    reader.shell(script).output().unwrap()
}

/// Changes the webhook's target to this URL.
fn retarget(twenty: &FakeTwenty, webhook: &Value, url: &str) {
    let body = json!({ "targetUrl": url }).to_string();
    let (id, key) = (webhook["id"].as_str().unwrap(), twenty.api_key());
    let request = format!(
        "PATCH /rest/metadata/webhooks/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(&twenty.url(), &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
