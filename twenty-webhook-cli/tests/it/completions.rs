//! Completions, run by each shell.

use std::process::Command;

use crate::support::{run, skip, text};

/// What a shell prints when it runs `script`. `None` if the shell is not installed.
fn shell(shell: &str, args: &[&str], script: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let completions = run(&["completions", shell]);
    assert!(completions.status.success(), "{completions:?}");
    let file = dir.path().join(if shell == "zsh" { "_twenty-webhook" } else { "completions" });
    std::fs::write(&file, &completions.stdout).unwrap();
    std::fs::write(dir.path().join("saved.http"), "").unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_twenty-webhook")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let output = Command::new(shell)
        .args(args)
        .arg(script)
        .env("PATH", path)
        .env("HOME", dir.path())
        .env("FILE", &file)
        .env("DIR", dir.path())
        .current_dir(dir.path())
        .output();
    match output {
        Ok(output) => Some(text(&output.stdout) + &text(&output.stderr)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skip(&format!("{shell} is not installed"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A command line, and a completion that the shell must offer for it.
const CASES: [(&str, &str); 9] = [
    ("s", "send"),
    ("send --fo", "--form"),
    ("send --form ", "early-metadata"),
    ("send http://x/ person.cr", "person.created"),
    ("sample metadata.fieldMetadata.u", "metadata.fieldMetadata.updated"),
    ("inbox ", "stats"),
    ("inbox list --st", "--state"),
    ("inbox list --state d", "dead"),
    ("explain sav", "saved.http"),
];

#[test]
fn bash() {
    for (line, word) in CASES {
        let script = format!(
            r#"source "$FILE"
            line="twenty-webhook {line}"
            read -ra COMP_WORDS <<< "$line"
            [[ "$line" == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMP_LINE="$line" COMP_POINT=${{#line}}
            $(complete -p twenty-webhook | sed 's/.*-F \([^ ]*\).*/\1/') twenty-webhook "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
            printf '%s\n' "${{COMPREPLY[@]}}"
            # What bash itself adds, where the function offers nothing.
            [[ ${{#COMPREPLY[@]}} -eq 0 ]] && compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}""#
        );
        let Some(offered) = shell("bash", &["--norc", "-c"], &script) else { return };
        assert!(offered.lines().any(|offer| offer == word), "{line}: {offered}");
    }
}

#[test]
fn fish() {
    for (line, word) in CASES {
        let script = format!(r#"source "$FILE"; complete -C "twenty-webhook {line}""#);
        let Some(offered) = shell("fish", &["--no-config", "-c"], &script) else { return };
        assert!(offered.lines().any(|offer| offer.split('\t').next() == Some(word)), "{line}: {offered}");
    }
}

#[test]
fn zsh() {
    use rexpect::session::spawn_command;

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("_twenty-webhook"), run(&["completions", "zsh"]).stdout).unwrap();
    std::fs::write(dir.path().join("saved.http"), "").unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_twenty-webhook")).parent().unwrap();
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-i"]).current_dir(dir.path()).env("HOME", dir.path()).env("TERM", "dumb");
    zsh.env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap()));
    if Command::new("zsh").arg("--version").output().is_err() {
        skip("zsh is not installed");
        return;
    }
    // A terminal, because zsh completes in its line editor only.
    let mut session = spawn_command(zsh, Some(20_000)).unwrap();
    session
        .send_line(
            "PS1='> '; fpath=($PWD $fpath); autoload -U compinit; compinit -u; setopt no_list_beep; echo re''ady",
        )
        .unwrap();
    session.exp_string("ready").unwrap();
    for (line, word) in CASES {
        session.send(&format!("twenty-webhook {line}")).unwrap();
        session.send_control('d').unwrap();
        session.send("\t").unwrap();
        session.flush().unwrap();
        session.exp_string(word).unwrap_or_else(|error| panic!("{line}: {error}"));
        session.send_control('u').unwrap();
        session.send_line("echo do''ne").unwrap();
        session.exp_string("done").unwrap();
    }
}
