mod args;
mod recorder;
mod report;
mod server;
mod summary;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use twenty_webhook_axum::{Secret, Verifier};

pub(crate) use args::ListenArgs;
use server::Server;
use summary::Summary;

use crate::signals;
use crate::terminal::FAINT;

/// How the description of a webhook for the time of one run begins.
pub(crate) const TEMPORARY: &str = "twenty-webhook listen: temporary";
/// How long requests under way may take to end after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: ListenArgs) -> anyhow::Result<ExitCode> {
    let listener = TcpListener::bind(args.addr).await.with_context(|| {
        format!("cannot listen on {}; is something else listening there? --addr takes another port", args.addr)
    })?;
    let addr = listener.local_addr()?;
    if let Some(dir) = &args.save {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    }
    let (reports, mut printing) = mpsc::channel(1024);
    let server = Server::new(&args, verifier(&args, addr)?, reports)?;
    greet(&args, addr);

    let (stop, stopped) = watch::channel(());
    let serving = async move {
        let mut stopped = stopped;
        let stopping = async move {
            let _ = stopped.changed().await;
        };
        axum::serve(listener, Arc::new(server).router()).with_graceful_shutdown(stopping).await
    };
    let server = tokio::spawn(serving);
    let mut signals = std::pin::pin!(signals::interrupted());
    let mut summary = Summary::default();
    loop {
        tokio::select! {
            Some(report) = printing.recv() => {
                summary.add(&report);
                report.print(args.json)?;
            }
            signal = &mut signals => {
                signal?;
                break;
            }
        }
    }
    drop(stop);
    let _ = tokio::time::timeout(PATIENCE, server).await;
    while let Ok(report) = printing.try_recv() {
        summary.add(&report);
        report.print(args.json)?;
    }
    let _ = writeln!(anstream::stderr(), "\n{summary}");
    Ok(ExitCode::SUCCESS)
}

fn verifier(args: &ListenArgs, addr: SocketAddr) -> anyhow::Result<Verifier> {
    if !args.secrets.are_absent() {
        return args.secrets.verifier();
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system has no randomness")?;
    let text = hex::encode(random);
    let _ = writeln!(
        anstream::stderr(),
        "No secret is given: for this run it is {text}\n\
         Put it into the webhook's settings in Twenty, or send a sample from another terminal:\n\n  \
         TWENTY_WEBHOOK_SECRET={text} twenty-webhook send http://{addr}/\n"
    );
    Ok(Verifier::new(Secret::new(text)?))
}

fn greet(args: &ListenArgs, addr: SocketAddr) {
    let onward = args.forward_to.as_ref().map(|url| format!("; verified deliveries go on to {url}"));
    let save = args.save.as_ref().map(|dir| format!("; each is saved in {}", dir.display()));
    let (onward, save) = (onward.unwrap_or_default(), save.unwrap_or_default());
    let _ = writeln!(
        anstream::stderr(),
        "Listening on http://{addr}, at any path{onward}{save}. {FAINT}Ctrl-C ends it.{FAINT:#}"
    );
}
