//! The sources of a secret, and the errors when one fails.

use std::env;
use std::fs;
use std::process::Command;

use twenty_webhook_core::{Secret, SecretError, Signer, UnixMillis};

#[test]
fn a_secret_is_its_text_verbatim() {
    assert_ne!(signature(&Secret::new("s").unwrap()), signature(&Secret::new("s ").unwrap()));
    assert_ne!(signature(&Secret::new("00ff").unwrap()), signature(&Secret::new("00FF").unwrap()));
}

#[test]
fn a_blank_secret_is_a_configuration_error() {
    for blank in ["", " ", "\t\r\n", "\u{a0}"] {
        assert!(matches!(Secret::new(blank), Err(SecretError::Blank)), "{blank:?}");
    }
}

#[test]
fn one_line_end_of_a_file_is_removed() {
    let path = env::temp_dir().join(format!("twenty-webhook-secret-{}", std::process::id()));
    for (text, same_as) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), ("s\r", "s\r"), (" s", " s")] {
        fs::write(&path, text).unwrap();
        let secret = Secret::from_file(&path).unwrap();
        assert_eq!(signature(&secret), signature(&Secret::new(same_as).unwrap()), "{text:?}");
    }
    for blank in ["", "\n", " \r\n"] {
        fs::write(&path, blank).unwrap();
        let error = Secret::from_file(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("the webhook secret in {} is blank", path.display()));
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = Secret::from_file(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read the webhook secret from {}", path.display()));
    let with_cause =
        format!("cannot read the webhook secret from {}: stream did not contain valid UTF-8", path.display());
    assert_eq!(format!("{error:?}"), with_cause);
    fs::remove_file(&path).unwrap();
    assert!(matches!(Secret::from_file(&path), Err(SecretError::Unreadable { .. })));
}

#[test]
fn the_error_names_the_missing_or_blank_variable() {
    for (value, expected) in [
        (None, "\nError: the environment variable UNDER_TEST is not set; put the webhook's secret"),
        (Some(""), "\nError: the environment variable UNDER_TEST is blank"),
        (Some(" \n"), "\nError: the environment variable UNDER_TEST is blank"),
        (Some("secret\n"), signature(&Secret::new("secret").unwrap()).as_str()),
        (Some("secret"), signature(&Secret::new("secret").unwrap()).as_str()),
    ] {
        let printed = in_another_process(value);
        assert!(printed.contains(expected), "{value:?}: {printed}");
    }
}

/// A process cannot change its environment safely, so this part of the test runs in a child process.
fn in_another_process(value: Option<&str>) -> String {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "secret::child", "--ignored", "--nocapture"]).env_remove("UNDER_TEST");
    if let Some(value) = value {
        child.env("UNDER_TEST", value);
    }
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

#[test]
#[ignore = "run by the_error_names_the_missing_or_blank_variable, in a child process"]
fn child() {
    match Secret::from_env("UNDER_TEST") {
        Ok(secret) => println!("{}", signature(&secret)),
        // As Rust prints what `main` returns.
        Err(error) => println!("\nError: {error:?}"),
    }
}

fn signature(secret: &Secret) -> String {
    let headers = Signer::new(secret.clone()).sign_at(b"body", UnixMillis::from_millis(1));
    headers["x-twenty-webhook-signature"].to_str().unwrap().to_owned()
}
