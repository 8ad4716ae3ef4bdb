mod args;
mod recorder;
mod report;
mod server;
mod session;
mod summary;
mod temporary;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use twenty_webhook_axum::{Secret, Verifier};

pub(crate) use args::ListenArgs;
use server::Server;
use session::Session;
use temporary::Temporary;

pub(crate) use temporary::TEMPORARY;

use crate::register::new_secret;
use crate::signals::Interrupts;
use crate::terminal::FAINT;
use crate::tunnel::Tunnel;

/// How long open requests may take to end after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: ListenArgs) -> anyhow::Result<ExitCode> {
    // What is made from here on is removed at the end, also on Ctrl-C.
    let mut interrupts = Interrupts::new()?;
    // Before anything is made: what cannot be used is said at once.
    let api = if args.register { Some(args.api.api()?) } else { None };
    let listener = TcpListener::bind(args.addr).await.with_context(|| {
        format!("cannot listen on {}; is something else listening there? --addr takes another port", args.addr)
    })?;
    let addr = listener.local_addr()?;
    if let Some(dir) = &args.save {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    }
    let secret = if args.register { Some(new_secret()?) } else { None };
    let (reports, received) = mpsc::channel(1024);
    let server = Server::new(&args, verifier(&args, secret.as_deref(), addr)?, reports)?;
    greet(&args, addr);
    let (stop, mut stopped) = watch::channel(());
    let stopping = async move {
        let _ = stopped.changed().await;
    };
    let serving = axum::serve(listener, Arc::new(server).router()).with_graceful_shutdown(stopping);
    let server = tokio::spawn(serving.into_future());

    let mut tunnel = match &args.tunnel {
        Some(program) => tokio::select! {
            tunnel = Tunnel::start(program, addr.port()) => Some(tunnel?),
            () = interrupts.next() => return Ok(ExitCode::SUCCESS),
        },
        None => None,
    };
    if let Some(tunnel) = &tunnel {
        let _ = writeln!(anstream::stderr(), "The tunnel's URL is {}", tunnel.url);
    }
    let public = tunnel.as_ref().map(|tunnel| &tunnel.url).or(args.public_url.as_ref());
    let webhook = match (api, &secret) {
        (Some(api), Some(secret)) => {
            let operations: Vec<_> = args.operations.iter().map(ToString::to_string).collect();
            Some(Temporary::create(api, target(public)?, &operations, secret).await?)
        }
        _ => None,
    };
    if let Some(webhook) = &webhook {
        let _ = writeln!(anstream::stderr(), "Twenty calls it by the temporary webhook {}", webhook.id());
    }
    let mut session = Session::new(&args, received, interrupts);
    let ended = session.run(tunnel.as_mut()).await;
    // Before anything that can fail, or take long.
    if let Some(webhook) = webhook {
        webhook.remove().await;
    }
    let code = ended?;
    drop(stop);
    let _ = tokio::time::timeout(PATIENCE, server).await;
    session.finish()?;
    Ok(code)
}

fn target(public: Option<&Url>) -> anyhow::Result<&Url> {
    let Some(url) = public else {
        bail!(
            "at which URL does Twenty reach this? Give --tunnel cloudflared, or the URL of your own tunnel as --public-url. Twenty refuses \
             private and loopback addresses by default"
        );
    };
    Ok(url)
}

/// Accepts the secrets that are given, and the one of the temporary webhook. Without any, it makes one.
fn verifier(args: &ListenArgs, registered: Option<&str>, addr: SocketAddr) -> anyhow::Result<Verifier> {
    let registered = registered.map(Secret::new).transpose()?;
    match (args.secrets.are_absent(), registered) {
        (true, Some(registered)) => return Ok(Verifier::new(registered)),
        (false, Some(registered)) => return Ok(args.secrets.verifier()?.also_accept(registered)),
        (false, None) => return args.secrets.verifier(),
        (true, None) => {}
    }
    let text = new_secret()?;
    let _ = writeln!(
        anstream::stderr(),
        "No secret is given. For this run it is {text}\n\
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
