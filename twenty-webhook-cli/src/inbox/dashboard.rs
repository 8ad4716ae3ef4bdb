use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use twenty_webhook_inbox::{Inbox, Store};

use crate::address;
use crate::local_page::LocalPage;
use crate::signals::Interrupts;

#[derive(Debug, Args)]
#[command(after_help = "\
The page shows customers' data. It is served on loopback only, to browsers that have the token of this run: open the URL that is printed.")]
pub(crate) struct DashboardArgs {
    /// The port on this machine. 0 means a free port
    #[arg(long, value_name = "[HOST:]PORT", default_value = "0", value_parser = address::parse_loopback)]
    addr: SocketAddr,
    /// Show buttons to retry, rerun and delete jobs
    #[arg(long)]
    actions: bool,
}

pub(super) async fn run(inbox: &Inbox<impl Store>, args: &DashboardArgs) -> anyhow::Result<ExitCode> {
    let page = LocalPage::bind(args.addr).await?;
    writeln!(anstream::stderr(), "The dashboard is at {}\nCtrl-C ends it.", page.url())?;
    let dashboard = if args.actions { inbox.dashboard_with_actions() } else { inbox.dashboard() };
    let mut interrupts = Interrupts::new()?;
    page.serve(dashboard, async move { interrupts.next().await }).await?;
    Ok(ExitCode::SUCCESS)
}
