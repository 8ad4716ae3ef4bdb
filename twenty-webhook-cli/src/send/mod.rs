mod args;
mod client;
mod directory;
mod load;
mod no_answer;
mod request;
mod single;
mod summary;
mod tamper;

use std::process::ExitCode;

pub(crate) use args::{SendArgs, url};
use client::MOST_REDIRECTS;
pub(crate) use client::{Answer, Client, Failure, connect_timeout, install_crypto_provider, is_loopback, new_client};
pub(crate) use no_answer::NoAnswer;
use request::RequestSource;
pub(crate) use request::new_body;

pub(crate) async fn run(args: SendArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.url, args.timeout.0)?;
    if let Some(dir) = &args.dir {
        return directory::run(&args, &client, dir).await;
    }
    let requests = RequestSource::new(&args)?;
    if args.count.get() > 1 {
        load::run(&args, &client, requests).await
    } else {
        single::run(&args, &client, &requests).await
    }
}

/// Whether anything was sent, and whether all of it was answered with 2xx.
fn exit_code(any_sent: bool, all_delivered: bool) -> ExitCode {
    match (any_sent, all_delivered) {
        (_, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::from(crate::NO),
        (false, false) => ExitCode::from(crate::FAILED),
    }
}
