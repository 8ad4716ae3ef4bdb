//! `catch-up`: one run. `twenty-webhook-catchup` does the work; this reads arguments and prints results.

mod args;
mod exit;
mod missed;
mod progress;
mod summary;

use std::process::ExitCode;
use std::sync::Arc;

pub(crate) use args::CatchUpArgs;
use missed::Missed;
use progress::Progress;
use twenty_webhook_catchup::{CatchUp, CatchUpStore};

use crate::database::Database;
use crate::signals::Interrupts;
use crate::terminal;

pub(crate) async fn run(args: CatchUpArgs) -> anyhow::Result<ExitCode> {
    // First: a wrong argument fails before the inbox is opened.
    let catch_up = args.catch_up()?;
    match Database::open(&args.db).await? {
        Database::Sqlite(inbox) => run_on(&inbox, catch_up, &args).await,
        Database::Postgres(inbox) => run_on(&inbox, catch_up, &args).await,
    }
}

async fn run_on(inbox: &impl CatchUpStore, mut catch_up: CatchUp, args: &CatchUpArgs) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::new()?;
    let (bar, missed) = (Arc::new(Progress::new()?), Arc::new(Missed::new(args.json)));
    let shown = Arc::clone(&bar);
    catch_up = catch_up.on_progress(move |progress| shown.show(progress));
    if args.dry_run {
        let (bar, missed) = (Arc::clone(&bar), Arc::clone(&missed));
        catch_up = catch_up.on_event(move |event| bar.suspended(|| missed.print(event)));
    }
    let ended = catch_up.run_once_until(inbox, interrupts.next()).await;
    bar.clear();
    missed.result()?;
    match ended {
        Ok(Some(report)) => {
            summary::print(&report, args)?;
            Ok(exit::of_report(&report))
        }
        Ok(None) => {
            terminal::note("Stopped. What was read is saved, and the next run continues there.");
            Ok(exit::stopped())
        }
        Err(error) => {
            terminal::error(&exit::message(&error));
            Ok(exit::of_error(&error))
        }
    }
}
