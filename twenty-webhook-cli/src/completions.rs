use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::events;

/// Prints a completion script.
pub(crate) fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    // Into memory first: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "twenty-webhook", &mut script);
    if shell == Shell::Bash {
        // clap_complete names the states of a program with a dash in one way where it enters them, and in another where it uses them.
        script = String::from_utf8(script)?.replace("twenty__subcmd__webhook", "twenty__webhook").into_bytes();
    }
    if shell == Shell::Fish {
        // clap_complete offers no values of positional arguments to fish.
        let names: Vec<_> = events::known().collect();
        for command in ["send", "sample"] {
            let condition = format!("__fish_twenty_webhook_using_subcommand {command}");
            writeln!(script, "complete -c twenty-webhook -n \"{condition}\" -f -a \"{}\"", names.join(" "))?;
        }
    }
    io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
