//! An example that cannot start says why, in one line.

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
        let stderr = fails(example, "", &[("LISTEN_ADDR", &addr), ("TWENTY_WEBHOOK_SECRET", SECRET)]);
        assert_eq!(
            stderr,
            format!("Error: cannot listen on {addr}: Address already in use (os error 98)\n"),
            "{example}"
        );
    }
}

#[test]
fn an_invalid_address() {
    for example in EXAMPLES {
        let stderr = fails(example, "", &[("LISTEN_ADDR", "3000"), ("TWENTY_WEBHOOK_SECRET", SECRET)]);
        assert_eq!(stderr, "Error: cannot listen on 3000: invalid socket address\n", "{example}");
    }
}

#[test]
fn a_blank_secret() {
    for example in EXAMPLES {
        let stderr = fails(example, "", &[("LISTEN_ADDR", "127.0.0.1:0"), ("TWENTY_WEBHOOK_SECRET", " ")]);
        assert!(
            stderr.starts_with("Error: the environment variable TWENTY_WEBHOOK_SECRET is blank"),
            "{example}: {stderr}"
        );
    }
}

#[test]
fn a_supervisor_that_passes_no_socket() {
    for example in EXAMPLES {
        let set_up = "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$;";
        let stderr = fails(example, set_up, &[("TWENTY_WEBHOOK_SECRET", SECRET)]);
        let expected = "Error: cannot use the socket in LISTEN_FDS: fd 3 is not a socket\n";
        assert_eq!(stderr, expected, "{example}");
    }
}

/// Runs an example that must fail. Returns its stderr.
fn fails(example: &str, first: &str, vars: &[(&str, &str)]) -> String {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{first} exec \"$0\"")]).arg(built(example)).env_clear().envs(vars.iter().copied());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{example}");
    String::from_utf8(output.stderr).unwrap()
}
