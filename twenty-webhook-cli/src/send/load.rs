use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

use super::recipe::Recipe;
use super::summary::Summary;
use super::{Client, SendArgs};
use crate::NO;

/// Sends many, and prints how the receiver did. Ctrl-C ends it early.
pub(super) async fn run(args: &SendArgs, client: &Client, recipe: Recipe) -> anyhow::Result<ExitCode> {
    // What cannot be made once cannot be made at all.
    recipe.make()?;
    let bar = ProgressBar::new(args.count.get() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {elapsed} of {duration}")?);
    let started = Instant::now();
    let mut summary = Summary::new(args.count.get());
    let requests = stream::iter(0..args.count.get()).map(async |_| {
        let request = recipe.make().map_err(|error| error.to_string())?;
        client.post(request.headers, request.body).await
    });
    let paced = pace(args.rate, args.count.get());
    let answers = paced.zip(requests).map(|((), request)| request).buffer_unordered(args.concurrency.get());
    let mut answers = std::pin::pin!(answers);
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                Some(answer) => summary.add(answer),
                None => break,
            },
            stop = tokio::signal::ctrl_c() => {
                stop.context("cannot listen for Ctrl-C")?;
                break;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    summary.print(args.json, started.elapsed())?;
    Ok(if summary.all_delivered() { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

/// When to begin each: at once, or so many a second.
fn pace(rate: Option<f64>, count: usize) -> stream::BoxStream<'static, ()> {
    let Some(rate) = rate else { return stream::repeat(()).take(count).boxed() };
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    stream::unfold(ticks, async |mut ticks| {
        ticks.tick().await;
        Some(((), ticks))
    })
    .boxed()
}
