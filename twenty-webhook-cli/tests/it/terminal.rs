//! A session on a terminal.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::support::{Server, command, run, text};

const GREEN: &str = "\u{1b}[1m\u{1b}[32m";

fn terminal(mut command: Command) -> PtySession {
    command.env("TERM", "xterm-256color");
    spawn_command(command, Some(30_000)).unwrap()
}

#[test]
fn a_session() {
    let mut listen = terminal(command(&["listen", "--addr", "127.0.0.1:0"]));
    listen.exp_string("Listening on ").unwrap();
    let url = listen.exp_string(",").unwrap();

    let mut send = terminal(command(&["send", &url, "person.created"]));
    send.exp_string(&format!("{GREEN}200 OK")).unwrap();
    send.exp_eof().unwrap();
    listen.exp_string(&format!("{GREEN}200 verified")).unwrap();
    listen.exp_string("person.created").unwrap();

    let mut load = terminal(command(&["send", &url, "--count", "40", "--rate", "100"]));
    load.exp_string("/40").unwrap();
    load.exp_string("40 deliveries in").unwrap();
    load.exp_eof().unwrap();

    listen.send_control('c').unwrap();
    listen.exp_string("41 deliveries: 41 verified").unwrap();
    listen.exp_eof().unwrap();
}

#[test]
fn no_color_is_respected() {
    let server = Server::listen(&[]);
    let mut colourless = command(&["send", &server.url]);
    colourless.env("NO_COLOR", "1");
    let shown = terminal(colourless).exp_eof().unwrap();
    assert!(shown.contains("200 OK") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn no_colours_without_a_terminal() {
    let server = Server::listen(&[]);
    let output = run(&["send", &server.url]);
    assert!(!text(&output.stdout).contains('\u{1b}'));
    let output = run(&["send", "http://127.0.0.1:1/", "--secret-env", "NOT_SET"]);
    assert!(!text(&output.stderr).contains('\u{1b}'));
}
