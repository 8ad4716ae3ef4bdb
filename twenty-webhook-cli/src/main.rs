//! `twenty-webhook`: sends webhooks as Twenty does, listens for them, and explains why one does not verify.

mod cli;
mod explain;
mod inbox;
mod input;
mod listen;
mod man;
mod moment;
mod saved;
mod secrets;
mod send;
mod sign;
mod terminal;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// The command did what it was asked, and the answer is no: a request that does not verify, a receiver that refuses.
const NO: u8 = 1;
/// The command could not do what it was asked.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        // Whoever read our output has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "{0}error:{0:#} {error:#}", terminal::BAD);
            ExitCode::from(FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Listen(args) => runtime()?.block_on(listen::run(args)),
        Command::Send(args) => runtime()?.block_on(send::run(args)),
        Command::Sign(args) => sign::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Inbox(args) => runtime()?.block_on(inbox::run(args)),
        Command::Completions { shell } => man::completions(shell),
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
