//! `listen --tunnel`, with programs in place of the real ones.
#![cfg(unix)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use twenty_webhook_testing::FakeTwenty;

use crate::support::{Server, command, exchange, run, text};
use crate::twenty::{on, until};

/// A directory for the PATH with this program in it. The program writes its process id and its arguments to files.
pub(crate) fn program(name: &str, script: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(
        &path,
        format!("#!/bin/sh\necho \"$$\" > {0}/pid\necho \"$@\" > {0}/args\n{script}\n", dir.path().display()),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

pub(crate) fn with_path<'a>(
    command: &'a mut std::process::Command,
    dir: &tempfile::TempDir,
) -> &'a mut std::process::Command {
    command.env("PATH", format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap()))
}

fn is_running(dir: &tempfile::TempDir) -> bool {
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap();
    std::process::Command::new("kill")
        .args(["-0", pid.trim()])
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn the_url_of_each_program_is_found_and_the_program_ends_with_listen() {
    for (name, argument, script, args, url) in [
        (
            "cloudflared",
            "cloudflared",
            "echo 'INF see https://developers.cloudflare.com/x' >&2; echo 'INF |  https://a-b-c.trycloudflare.com  |' >&2; exec sleep 60",
            "tunnel --url http://127.0.0.1:",
            "https://a-b-c.trycloudflare.com/",
        ),
        (
            "ngrok",
            "ngrok",
            "echo 'lvl=info msg=\"started tunnel\" addr=http://localhost:3000 url=https://abc.ngrok-free.app'; exec sleep 60",
            "http ",
            "https://abc.ngrok-free.app/",
        ),
        (
            "ssh",
            "ssh:nokey@localhost.run",
            "echo 'see https://localhost.run/docs'; echo 'x.lhr.life tunneled with tls termination, https://x.lhr.life'; exec sleep 60",
            "-T -o ExitOnForwardFailure=yes -o ServerAliveInterval=30 -R 80:127.0.0.1:",
            "https://x.lhr.life/",
        ),
    ] {
        let dir = program(name, script);
        let mut listen = command(&["listen", "--addr", "0", "--tunnel", argument]);
        with_path(&mut listen, &dir);
        let server = Server::start(listen, "The tunnel's URL is ");
        assert_eq!(server.url, url);
        let given = fs::read_to_string(dir.path().join("args")).unwrap();
        assert!(given.starts_with(args), "{name}: {given}");
        assert!(is_running(&dir));
        assert!(server.interrupt().0.success());
        until("the program has ended", || !is_running(&dir));
    }
}

#[test]
fn deliveries_arrive_through_the_tunnel() {
    let forward = r#"for arg; do case "$arg" in 80:*) echo "Forwarding HTTP traffic from http://${arg#80:}";; esac; done; exec sleep 60"#;
    let (twenty, dir) = (FakeTwenty::start(), program("ssh", forward));
    let mut listen = on(&twenty, &["listen", "--addr", "0", "--json", "--register", "--tunnel", "ssh:serveo.net"]);
    with_path(&mut listen, &dir);
    let server = Server::start(listen, "The tunnel's URL is ");
    while !server
        .stderr
        .recv_timeout(std::time::Duration::from_secs(20))
        .unwrap()
        .contains("Created the temporary webhook")
    {}
    twenty.create("person", json!({}));
    assert_eq!(server.report()["verdict"], "verified");
    // When the tunnel ends, the command ends, too, and removes its webhook.
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap();
    std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    assert_eq!(server.wait().code(), Some(2));
    let api = twenty.api_requests();
    assert!(api.last().unwrap().starts_with("DELETE"), "{api:?}");
}

/// Also if both have the same port, at different addresses.
#[test]
fn the_tunnel_leads_to_the_receiver_and_never_to_the_page() {
    let dir = program("cloudflared", "echo 'INF |  https://a-b-c.trycloudflare.com  |' >&2; exec sleep 60");
    for host in ["127.0.0.1", "127.0.0.2", "[::1]"] {
        // A machine can lack an address.
        let Ok(free) = TcpListener::bind(format!("{host}:0")) else { continue };
        let port = free.local_addr().unwrap().port();
        drop(free);
        let addr = format!("{host}:{port}");
        let page = if host == "127.0.0.1" { "127.0.0.1:0".to_owned() } else { format!("127.0.0.1:{port}") };
        let mut listen = command(&["listen", "--addr", &addr, "--ui", &page, "--tunnel", "cloudflared"]);
        with_path(&mut listen, &dir);
        let server = Server::start(listen, "The tunnel's URL is ");
        let given = fs::read_to_string(dir.path().join("args")).unwrap();
        assert_eq!(given.trim_end(), format!("tunnel --url http://{addr}"));
        let answer = exchange(&format!("http://{addr}"), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 405"), "the receiver: {answer}");
        drop(server);
    }
    // On some systems the page could take the port from a receiver at all addresses.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let output = run(&["listen", "--addr", &format!("0.0.0.0:{port}"), "--ui", &port]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(&format!("cannot listen on 127.0.0.1:{port}")), "{output:?}");
}

#[test]
fn a_missing_or_failing_program_is_reported() {
    let empty = tempfile::tempdir().unwrap();
    for (argument, hint) in
        [("cloudflared", "developers.cloudflare.com"), ("ngrok", "ngrok.com/download"), ("ssh:x", "openssh-client")]
    {
        let output =
            command(&["listen", "--addr", "0", "--tunnel", argument]).env("PATH", empty.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("is not installed") && text(&output.stderr).contains(hint), "{output:?}");
    }
    let dir = program("ngrok", "echo 'ERROR: authentication failed' >&2; exit 1");
    let output = with_path(&mut command(&["listen", "--addr", "0", "--tunnel", "ngrok"]), &dir).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("ngrok ended without a URL. It printed: ERROR: authentication failed"),
        "{output:?}"
    );
    let output = run(&["listen", "--tunnel", "ssh:-oProxyCommand=touch x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("must not begin with `-`"), "{output:?}");
}
