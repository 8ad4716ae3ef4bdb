//! `twenty-webhook`: sends webhooks as Twenty does, listens for them, and explains why one does not verify.

mod address;
mod api;
#[cfg(feature = "catch-up")]
mod catch_up;
mod cli;
mod completions;
#[cfg(feature = "inbox")]
mod database;
mod doctor;
mod events;
mod explain;
#[cfg(feature = "inbox")]
mod inbox;
mod input;
mod listen;
mod local_page;
mod man;
mod private_target;
mod reason;
mod register;
mod sample;
mod sample_args;
mod saved;
mod secrets;
mod send;
mod sign;
mod signals;
mod temporary;
mod terminal;
mod time;
mod tunnel;
mod webhooks;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// The command worked, and the answer is no: a request does not verify, or a receiver rejects it.
const NO: u8 = 1;
/// The command could not do its work.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // The reader closed the pipe: not an error.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&causes(&error));
            ExitCode::from(FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Listen(args) => runtime()?.block_on(listen::run(*args)),
        Command::Send(args) => runtime()?.block_on(send::run(*args)),
        Command::Sample(args) => sample::run(&args),
        Command::Doctor(args) => runtime()?.block_on(doctor::run(*args)),
        Command::Register(args) => runtime()?.block_on(register::run(*args)),
        Command::Webhooks(args) => runtime()?.block_on(webhooks::run(args)),
        Command::Sign(args) => sign::run(&args),
        Command::Explain(args) => explain::run(&args),
        #[cfg(feature = "inbox")]
        Command::Inbox(args) => runtime()?.block_on(inbox::run(args)),
        #[cfg(feature = "catch-up")]
        Command::CatchUp(args) => runtime()?.block_on(catch_up::run(*args)),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(dir.as_deref()),
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The error and its causes, without repetitions.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
