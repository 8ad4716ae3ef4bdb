//! Bad arguments, closed pipes, no network: a message, a status, and no panic.

use std::process::Stdio;

use crate::support::{assert, command, flat, run, text};

const COMMANDS: &[&str] = &[
    "listen",
    "send",
    "sample",
    "sign",
    "explain",
    #[cfg(feature = "inbox")]
    "inbox",
    #[cfg(feature = "catch-up")]
    "catch-up",
    "register",
    "webhooks",
    "doctor",
    "completions",
    "man",
];

/// The commands below others. They have no examples of their own.
const SUBCOMMANDS: &[&[&str]] = &[
    &["webhooks", "list"],
    &["webhooks", "delete"],
    #[cfg(feature = "inbox")]
    &["inbox", "stats"],
    #[cfg(feature = "inbox")]
    &["inbox", "list"],
    #[cfg(feature = "inbox")]
    &["inbox", "show"],
    #[cfg(feature = "inbox")]
    &["inbox", "retry"],
    #[cfg(feature = "inbox")]
    &["inbox", "rerun"],
    #[cfg(feature = "inbox")]
    &["inbox", "delete"],
    #[cfg(feature = "inbox")]
    &["inbox", "erase"],
    #[cfg(feature = "inbox")]
    &["inbox", "pause"],
    #[cfg(feature = "inbox")]
    &["inbox", "dashboard"],
];

#[test]
fn the_help_of_listen_says_what_it_reaches_and_what_events_limits() {
    let help = flat(&run(&["listen", "--help"]).stdout);
    let refuses =
        "Twenty, self-hosted too, refuses private and loopback addresses by default, so 127.0.0.1 does not work";
    assert!(help.contains(refuses), "{help}");
    assert!(help.contains("--events <PATTERN> Print, show, count, save and forward only events that match"), "{help}");
}

#[test]
fn every_command_has_help_with_examples() {
    for name in COMMANDS {
        let help = text(&assert(&[name, "--help"]).success().get_output().stdout);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{name}: {help}"));
        assert!(examples.contains(&format!("  twenty-webhook {name}")), "{examples}");
    }
    // The commands that a script asks for an answer.
    for name in COMMANDS.iter().filter(|name| !["sample", "sign", "register", "completions", "man"].contains(name)) {
        assert!(text(&run(&[name, "--help"]).stdout).contains("Exit status:"), "{name}");
    }
    let help = text(&run(&["--help"]).stdout);
    for word in ["TWENTY_WEBHOOK_SECRET", "other users of the machine can see it", "Exit status", "NO_COLOR"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn bad_arguments_get_a_message_with_the_right_form() {
    for (args, what) in [
        (&["send"][..], "<URL>"),
        (&["send", "localhost:3000"], "write a whole URL, as http://"),
        (&["send", "ftp://x/"], "write a whole URL, as http://"),
        (&["send", "http://x/", "person"], "write OBJECT.ACTION"),
        (&["send", "http://x/", ".created"], "write OBJECT.ACTION"),
        (&["send", "http://x/", "metadata.created"], "write OBJECT.ACTION"),
        (&["send", "http://x/", "--count", "0"], "--count"),
        (&["send", "http://x/", "--rate=-1"], "deliveries per second"),
        (&["send", "http://x/", "--rate", "NaN"], "deliveries per second"),
        (&["send", "http://x/", "--age", "soon"], "write a duration"),
        (&["send", "http://x/", "--timeout", "0s"], "write a duration"),
        (&["send", "http://x/", "--tamper", "all"], "[possible values: body, signature, timestamp, nonce]"),
        (&["send", "http://x/", "--replay", "--count", "2"], "cannot be used with"),
        (&["sign", "--at", "yesterday"], "write Unix milliseconds"),
        (&["explain", "--body", "/dev/null", "-H", "no colon"], "write `Name: value`"),
        (&["listen", "--addr", "host.invalid"], "write a port, or HOST:PORT"),
        (&["listen", "--forward-to", "x"], "write a whole URL"),
        (&["frobnicate"], "unrecognized"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains(what), "{args:?}: {output:?}");
        assert!(!text(&output.stderr).contains("panicked"), "{args:?}: {output:?}");
    }
}

#[test]
fn a_missing_secret_is_reported() {
    for (args, what) in [
        (&["send", "http://x/", "--secret-env", "NOT_SET"][..], "NOT_SET is not set"),
        (&["send", "http://x/", "--secret-file", "/nonexistent"], "/nonexistent: No such file"),
        (&["send", "http://x/", "--secret", " "], "--secret: the webhook secret is blank"),
        (&["sign", "--secret", "one", "--secret", "two"], "more than one secret"),
        (&["listen", "--addr", "127.0.0.1:0", "--secret-env", "NOT_SET"], "NOT_SET is not set"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(text(&output.stderr).contains(what), "{args:?}: {output:?}");
    }
    let output = command(&["sign"]).env_remove("TWENTY_WEBHOOK_SECRET").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--secret-env"), "{output:?}");
}

#[test]
fn without_a_network_nothing_panics() {
    for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "http://name.invalid/", "http://[::1]:1/"] {
        let output = run(&["send", url]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stdout).contains("not delivered: cannot reach"), "{output:?}");
    }
    let mut bare = command(&["send", "http://127.0.0.1:1/"]);
    let bare = bare.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent").output().unwrap();
    assert!(text(&bare.stdout).contains("cannot reach"), "{bare:?}");
    assert_eq!(bare.status.code(), Some(2), "plain http needs no certificates: {bare:?}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    std::fs::write(&path, "{}").unwrap();
    let path = path.to_str().unwrap();
    for args in [
        &["sign", path][..],
        &["explain", "--body", path],
        &["send", "http://127.0.0.1:1/"],
        &["send", "http://127.0.0.1:1/", "--count", "2"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(args).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(text(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

#[test]
fn manual_pages() {
    assert!(text(&run(&["man"]).stdout).contains(".TH twenty-webhook 1"));
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("man1");
    assert!(run(&["man", "--dir", into.to_str().unwrap()]).status.success());
    for name in COMMANDS {
        assert!(into.join(format!("twenty-webhook-{name}.1")).exists(), "{name}");
    }
}

#[test]
fn help_fits_80_columns() {
    let commands = COMMANDS.iter().map(|name| vec![*name]).chain(SUBCOMMANDS.iter().map(|name| name.to_vec()));
    for name in commands {
        let output = run(&[&name[..], &["--help"]].concat());
        assert!(output.status.success(), "{name:?}: {output:?}");
        let help = text(&output.stdout);
        // Not the examples, which are to be copied.
        let text = help.split("Examples:").next().unwrap();
        let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 80 && !line.contains("Usage:")).collect();
        assert!(wide.is_empty(), "{name:?}: {wide:#?}");
    }
}
