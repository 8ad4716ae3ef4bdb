use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[cfg(feature = "catch-up")]
use crate::catch_up::CatchUpArgs;
use crate::doctor::DoctorArgs;
use crate::explain::ExplainArgs;
#[cfg(feature = "inbox")]
use crate::inbox::InboxArgs;
use crate::listen::ListenArgs;
use crate::register::RegisterArgs;
use crate::sample::SampleCommand;
use crate::send::SendArgs;
use crate::sign::SignArgs;
use crate::webhooks::WebhooksArgs;

/// Sends webhooks as Twenty does, listens for them, and explains why one does not verify
#[derive(Debug, Parser)]
#[command(name = "twenty-webhook", version, max_term_width = 80, after_long_help = HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const HELP: &str = "\
Examples:
  Listen in one terminal, and send a sample from another:
    export TWENTY_WEBHOOK_SECRET=s3cret
    twenty-webhook listen
    twenty-webhook send http://127.0.0.1:3000/webhooks/twenty person.created

  Save what Twenty sends, and ask why it does not verify:
    twenty-webhook listen --save deliveries
    twenty-webhook explain deliveries/*.http

The secret:
  It is read from the environment variable TWENTY_WEBHOOK_SECRET, unless
  --secret-env or --secret-file says otherwise. --secret TEXT works too, but
  other users of the machine can see it in the list of processes, and the
  shell keeps it in its history.

Exit status:
  0  yes: the receiver answered 2xx, the request verifies
  1  no: the receiver rejected it, the request does not verify
  2  the command could not do its work; the message says what to do

Output has colours on a terminal only, and none if NO_COLOR is set.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Listen(Box<ListenArgs>),
    Send(Box<SendArgs>),
    Sample(SampleCommand),
    Sign(SignArgs),
    Explain(ExplainArgs),
    #[cfg(feature = "inbox")]
    Inbox(InboxArgs),
    #[cfg(feature = "catch-up")]
    CatchUp(Box<CatchUpArgs>),
    Register(Box<RegisterArgs>),
    Webhooks(WebhooksArgs),
    Doctor(Box<DoctorArgs>),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  twenty-webhook completions bash > ~/.local/share/bash-completion/completions/twenty-webhook
  twenty-webhook completions zsh > ~/.zfunc/_twenty-webhook
  twenty-webhook completions fish > ~/.config/fish/completions/twenty-webhook.fish")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    #[command(after_help = "\
Examples:
  twenty-webhook man | man -l -
  twenty-webhook man --dir ~/.local/share/man/man1")]
    Man {
        /// Write the pages of all commands into this directory
        #[arg(long, value_hint = clap::ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}
