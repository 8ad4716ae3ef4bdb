use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};

use super::request::RequestSource;
use super::summary::Summary;
use super::{Client, Failure, SendArgs};

/// Sends many requests, and prints a summary. Ctrl-C ends it early.
pub(super) async fn run(args: &SendArgs, client: &Client, requests: RequestSource) -> anyhow::Result<ExitCode> {
    // Fails early if no request can be made.
    requests.make()?;
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {rate}  {elapsed} of {duration}")?;
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0} a second", state.per_sec());
    };
    let bar = ProgressBar::new(args.count.get() as u64).with_style(style.with_key("rate", rate));
    let started = Instant::now();
    let mut summary = Summary::new(args.count.get());
    let requests = stream::iter(0..args.count.get()).map(async |_| {
        let request = requests.make().map_err(|error| Failure { why: error.to_string(), is_sent: false })?;
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
    Ok(super::exit_code(summary.any_sent(), summary.all_delivered()))
}

/// When to start each request: at once, or at a rate per second.
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
