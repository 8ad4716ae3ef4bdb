mod args;
mod client;
mod load;
mod recipe;
mod single;
mod summary;
mod tamper;

use std::process::ExitCode;

pub(crate) use args::{SendArgs, url};
pub(crate) use client::{Answer, Client};
use recipe::Recipe;

pub(crate) async fn run(args: SendArgs) -> anyhow::Result<ExitCode> {
    let recipe = Recipe::new(&args)?;
    let client = Client::new(&args.url, args.timeout.0)?;
    if args.count.get() > 1 {
        load::run(&args, &client, recipe).await
    } else {
        single::run(&args, &client, &recipe).await
    }
}
