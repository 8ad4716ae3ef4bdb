//! "From nothing to a working webhook" of docs/cli.md: its commands, as they are printed there.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use twenty_webhook_testing::FakeTwenty;

use crate::receivers::executable;
use crate::support::{Server, exchange, text};
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

    // 2. Build the receiver: the example for axum, on a free port, with the secret of the story.
    let secret = send.split_once("TWENTY_WEBHOOK_SECRET=").unwrap().1.lines().next().unwrap();
    let receiver = receiver("127.0.0.1:0", secret);
    let output = run(&reader, &replaced(send, "http://127.0.0.1:3000/webhooks/twenty", &receiver.url));
    assert_eq!(text(&output.stdout).matches("200 OK").count(), 1, "{output:?}");
    assert_eq!(output.status.code(), Some(1), "it rejected the second: {output:?}");
    assert_eq!(receiver.report()["name"], "person.updated");
    let (_, unread, _) = receiver.interrupt();
    assert_eq!(unread, "", "its handler did not run for the second");

    // 3. Register it, where it is deployed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let deployed = format!("http://127.0.0.1:{port}");
    let output = run(&reader, &format!("{export}\n{}", replaced(register, "https://hooks.example.com", &deployed)));
    assert!(output.status.success(), "{output:?}");
    let secret = fs::read_to_string(reader.dir.path().join("secret")).unwrap();
    let receiver = self::receiver(&format!("127.0.0.1:{port}"), secret.trim_end());

    // 4. Check all of it. This target is private.
    let output = run(&reader, &format!("{export}\n{} --private-allowed", doctor.trim_end()));
    assert!(output.status.success(), "{output:?}");
    let shown = text(&output.stdout);
    assert!(
        !shown.lines().any(|line| line.starts_with("wrong")) && shown.contains("the operations cover person.*"),
        "{shown}"
    );
    twenty.create("person", json!({}));
    assert_eq!(receiver.report()["name"], "person.created", "what doctor sent is not in between");
}

/// The README of the tool has the same commands, without the options that they can do without.
#[test]
fn the_commands_of_the_readme_are_those_of_the_guide() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, story) = readme.split_once("## From nothing to a working webhook\n").unwrap();
    let (_, block) = story.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let commands = block.lines().map(|line| line.split_once("   #").map_or(line, |(command, _)| command).trim_end());
    let guide = blocks().concat();
    for command in commands.clone() {
        assert!(guide.contains(command), "{command} is not in: {guide}");
    }
    let tools: Vec<_> =
        commands.filter_map(|line| line.strip_prefix("twenty-webhook ")?.split_whitespace().next()).collect();
    assert_eq!(tools, ["listen", "send", "send", "register", "doctor"]);
}

/// A package's page on crates.io shows its README, without the rest of the repository.
#[test]
fn the_readme_stands_alone() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut targets = readme.split("](").skip(1);
    assert!(targets.all(|target| target.starts_with("https://")), "a relative link leads nowhere there");
    assert!(readme.ends_with("\nLicensed under either of Apache-2.0 or MIT, at your option.\n"));
}

/// The example receiver for axum.
fn receiver(addr: &str, secret: &str) -> Server {
    let mut command = Command::new(executable("axum-receiver"));
    command.env("TWENTY_WEBHOOK_SECRET", secret).env("LISTEN_ADDR", addr).env_remove("RUST_LOG");
    Server::start(command, "listening on ")
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
