//! `register` and `webhooks`.

use std::fs;

use rexpect::process::WaitStatus;
use rexpect::session::spawn_command;
use serde_json::json;
use twenty_webhook_testing::{ApiFailure, FakeTwenty};

use crate::support::{Server, command, flat, text};
use crate::twenty::{lines, on, run_on, until};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> String {
        self.0.path().join("secret").to_str().unwrap().to_owned()
    }
}

fn args<'a>(target: &'a str, file: &'a str) -> Vec<&'a str> {
    vec!["register", target, "--operation", "person.*", "--operation", "opportunity.updated", "--secret-out", file]
}

#[test]
fn a_webhook_with_a_secret_that_only_its_owner_can_read() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    let output = run_on(&twenty, &args("https://hooks.example.test/twenty", &file));
    assert!(output.status.success(), "{output:?}");
    let secret = fs::read_to_string(&file).unwrap();
    assert_eq!(secret.trim_end().len(), 64, "32 bytes in hex");
    assert!(!text(&output.stdout).contains(secret.trim_end()) && !text(&output.stderr).contains(secret.trim_end()));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&file).unwrap()) & 0o777, 0o600);

    let listed = lines(&run_on(&twenty, &["webhooks", "list", "--json"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["operations"], json!(["person.*", "opportunity.updated"]));
    assert_eq!(listed[0]["target_url"], "https://hooks.example.test/twenty");
    assert!(listed[0].get("secret").is_none());
}

#[test]
fn a_target_that_twenty_refuses_is_created_with_a_warning() {
    for target in ["http://127.0.0.1:3000/twenty", "http://[fd00::2]/", "http://localhost:1/"] {
        let (twenty, folder) = (FakeTwenty::start(), Folder::new());
        let output = run_on(&twenty, &args(target, &folder.file()));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let warning = flat(&output.stderr);
        for part in ["warning: the target is at the private address", "OUTBOUND_HTTP_ALLOWED_INTERNAL_HOSTS"] {
            assert!(warning.contains(part), "{target}: {warning}");
        }
    }
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let output = run_on(&twenty, &args("https://192.0.2.1/twenty", &folder.file()));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn the_secret_in_the_file_is_the_one_that_twenty_signs_with() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    let receiver = Server::start(command(&["listen", "--addr", "0", "--json"]), "Listening on ");
    assert!(run_on(&twenty, &args(&receiver.url, &file)).status.success());
    drop(receiver);
    // On the same port, now with the secret.
    let listed = lines(&run_on(&twenty, &["webhooks", "list", "--json"]));
    let addr =
        listed[0]["target_url"].as_str().unwrap().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let receiver =
        Server::start(command(&["listen", "--addr", &addr, "--json", "--secret-file", &file]), "Listening on ");
    twenty.create("person", json!({}));
    assert_eq!(receiver.report()["verdict"], "verified");
}

#[test]
fn the_secret_is_printed_on_demand_only() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    let output =
        run_on(&twenty, &[&args("https://hooks.example.test/", &file)[..], &["--print-secret", "--json"]].concat());
    let printed = &lines(&output)[0];
    assert_eq!(printed["secret"], fs::read_to_string(&file).unwrap().trim_end());
}

#[test]
fn an_existing_file_is_not_overwritten_and_a_link_is_not_followed() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    fs::write(&file, "mine").unwrap();
    let output = run_on(&twenty, &args("https://hooks.example.test/", &file));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("never overwritten"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    #[cfg(unix)]
    {
        fs::remove_file(&file).unwrap();
        let aim = folder.0.path().join("aim");
        std::os::unix::fs::symlink(&aim, &file).unwrap();
        assert_eq!(run_on(&twenty, &args("https://hooks.example.test/", &file)).status.code(), Some(2));
        assert!(!aim.exists());
    }
    assert!(lines(&run_on(&twenty, &["webhooks", "list", "--json"])).is_empty(), "and no webhook was created");
}

#[test]
fn the_secret_is_on_disk_before_the_webhook_is_created() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    twenty.hold_requests_after(1);
    let child =
        on(&twenty, &args("https://hooks.example.test/", &file)).stdout(std::process::Stdio::piped()).spawn().unwrap();
    until("it posts", || twenty.api_requests().iter().any(|request| request.starts_with("POST")));
    assert_eq!(fs::read_to_string(&file).unwrap().trim_end().len(), 64);
    twenty.release_requests();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn a_webhook_that_cannot_be_created_leaves_no_file() {
    for failure in [ApiFailure::Status(400), ApiFailure::Status(402), ApiFailure::Status(500), ApiFailure::NotJson] {
        let (output, secret) = register_with(failure);
        assert_eq!(output.status.code(), Some(2), "{failure:?}: {output:?}");
        assert_eq!(secret, None, "{failure:?}");
    }
}

/// Twenty can create it after the list of webhooks was read.
#[test]
fn the_secret_is_kept_if_twenty_may_still_create_the_webhook() {
    std::thread::scope(|scope| {
        for failure in [ApiFailure::Hang, ApiFailure::CutOff, ApiFailure::Status(502), ApiFailure::Status(504)] {
            scope.spawn(move || {
                let (output, secret) = register_with(failure);
                assert_eq!(output.status.code(), Some(2), "{failure:?}: {output:?}");
                assert_eq!(secret.map(|secret| secret.trim_end().len()), Some(64), "{failure:?}");
                let said = text(&output.stderr);
                assert!(
                    said.contains("its secret is kept in ") && said.contains("webhooks list"),
                    "{failure:?}: {said}"
                );
            });
        }
    });
}

/// Registers a webhook whose creation fails. Returns what is in the secret's file, if there is one.
fn register_with(failure: ApiFailure) -> (std::process::Output, Option<String>) {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    twenty.hold_requests_after(1);
    let child =
        on(&twenty, &args("https://hooks.example.test/", &file)).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("it posts", || twenty.api_requests().iter().any(|request| request.starts_with("POST")));
    twenty.fail_next([failure]);
    twenty.release_requests();
    let output = child.wait_with_output().unwrap();
    (output, fs::read_to_string(&file).ok())
}

#[test]
fn a_second_webhook_with_the_same_target_needs_again() {
    let (twenty, folder) = (FakeTwenty::start(), Folder::new());
    let file = folder.file();
    twenty.add_webhook("https://hooks.example.test/", ["*.*"], "s");
    let refused = run_on(&twenty, &args("https://hooks.example.test/", &file));
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("has this target already") && !std::path::Path::new(&file).exists());
    twenty.add_webhook("https://another.example.test", ["*.*"], "s");
    let same = run_on(&twenty, &args("https://ANOTHER.example.test:443/", &file));
    assert!(text(&same.stderr).contains("has this target already"), "it is the same URL: {same:?}");
    assert!(
        run_on(&twenty, &[&args("https://hooks.example.test/", &file)[..], &["--again"]].concat()).status.success()
    );
}

#[test]
fn webhooks_are_listed_and_deleted() {
    let twenty = FakeTwenty::start();
    assert!(text(&run_on(&twenty, &["webhooks", "list"]).stderr).contains("There is no webhook"));
    let id = twenty.add_webhook("https://hooks.example.test/", ["person.*"], "the secret of it");
    let listed = text(&run_on(&twenty, &["webhooks", "list"]).stdout);
    assert!(listed.contains(&id) && listed.contains("person.*") && !listed.contains("the secret"), "{listed}");

    let mut asked = on(&twenty, &["webhooks", "delete", &id]);
    asked.stdin(std::process::Stdio::inherit());
    let mut session = spawn_command(asked, Some(30_000)).unwrap();
    session.exp_string("[y/N]").unwrap();
    session.send_line("n").unwrap();
    session.exp_eof().unwrap();
    assert!(matches!(session.process().wait(), Ok(WaitStatus::Exited(_, 1))), "no");
    let unasked = run_on(&twenty, &["webhooks", "delete", &id]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(text(&unasked.stderr).contains("give --yes"), "{unasked:?}");
    assert_eq!(run_on(&twenty, &["webhooks", "delete", "4711", "--yes"]).status.code(), Some(1));
    let deleted = run_on(&twenty, &["webhooks", "delete", &id, "--yes"]);
    assert_eq!(text(&deleted.stdout), format!("deleted {id}\n"));
    assert!(lines(&run_on(&twenty, &["webhooks", "list", "--json"])).is_empty());
}
