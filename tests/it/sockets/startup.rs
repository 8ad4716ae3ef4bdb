//! What an example says when it cannot start: one sentence.

use std::net::TcpListener;
use std::process::Command;

use super::process::built;
use crate::samples::SECRET;

const EXAMPLES: [&str; 2] = ["axum-receiver", "actix-receiver"];

#[test]
fn an_address_that_is_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    for example in EXAMPLES {
        let said = fails(example, "", &[("LISTEN_ADDR", &addr), ("TWENTY_WEBHOOK_SECRET", SECRET)]);
        assert_eq!(
            said,
            format!("Error: cannot listen on {addr}: Address already in use (os error 98)\n"),
            "{example}"
        );
    }
}

#[test]
fn an_address_that_is_none() {
    for example in EXAMPLES {
        let said = fails(example, "", &[("LISTEN_ADDR", "3000"), ("TWENTY_WEBHOOK_SECRET", SECRET)]);
        assert_eq!(said, "Error: cannot listen on 3000: invalid socket address\n", "{example}");
    }
}

#[test]
fn a_blank_secret() {
    for example in EXAMPLES {
        let said = fails(example, "", &[("LISTEN_ADDR", "127.0.0.1:0"), ("TWENTY_WEBHOOK_SECRET", " ")]);
        assert!(
            said.starts_with("Error: the environment variable TWENTY_WEBHOOK_SECRET is blank"),
            "{example}: {said}"
        );
    }
}

#[test]
fn a_supervisor_that_hands_over_something_else() {
    for example in EXAMPLES {
        let hand_over = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$;";
        let said = fails(example, hand_over, &[("TWENTY_WEBHOOK_SECRET", SECRET)]);
        let expected = "Error: cannot use the socket in LISTEN_FDS: fd 3 is not a socket\n";
        assert_eq!(said, expected, "{example}");
    }
}

/// What it says on stderr before it fails.
fn fails(example: &str, first: &str, vars: &[(&str, &str)]) -> String {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{first} exec \"$0\"")]).arg(built(example)).env_clear().envs(vars.iter().copied());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{example}");
    String::from_utf8(output.stderr).unwrap()
}
