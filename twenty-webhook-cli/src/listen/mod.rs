mod args;
mod recorder;
mod report;
mod server;
mod session;
mod summary;
mod ui;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Url;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use twenty_webhook_axum::{Secret, Signer, Verifier};

pub(crate) use args::ListenArgs;
use server::Server;
use session::Session;
use ui::Ui;

use crate::address;
use crate::local_page::LocalPage;
use crate::register::new_secret;
use crate::signals::Interrupts;
use crate::temporary::{self, Temporary};
use crate::terminal::FAINT;
use crate::tunnel::Tunnel;

/// How long to wait for open requests after Ctrl-C.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: ListenArgs) -> anyhow::Result<ExitCode> {
    // From here on, Ctrl-C does not end the process, so that the webhook is removed.
    let mut interrupts = Interrupts::new()?;
    // First: a wrong argument fails before anything is created.
    let api = if args.register { Some(args.api.api()?) } else { None };
    let listener = TcpListener::bind(args.addr).await.with_context(|| {
        format!("cannot listen on {}; is another program listening there? Choose another port with --addr", args.addr)
    })?;
    let addr = listener.local_addr()?;
    let reached = address::of_listener(addr);
    if let Some(dir) = &args.save {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create the directory {}", dir.display()))?;
    }
    let secrets = Secrets::new(&args, reached)?;
    let ui = ui(&args, &secrets, reached).await?;
    let (reports, received) = mpsc::channel(1024);
    let server = Server::new(&args, secrets.verifier.clone(), secrets.forward_signer(), reports)?;
    greet(&args, addr);
    let (stop, mut stopped) = watch::channel(());
    let stopping = async move {
        let _ = stopped.changed().await;
    };
    let serving = axum::serve(listener, Arc::new(server).router()).with_graceful_shutdown(stopping);
    let server = tokio::spawn(serving.into_future());

    let mut tunnel = match &args.tunnel {
        Some(program) => tokio::select! {
            tunnel = Tunnel::start(program, reached) => Some(tunnel?),
            () = interrupts.next() => return Ok(ExitCode::SUCCESS),
        },
        None => None,
    };
    if let Some(tunnel) = &tunnel {
        let _ = writeln!(anstream::stderr(), "The tunnel's URL is {}", tunnel.url);
    }
    let public = tunnel.as_ref().map(|tunnel| &tunnel.url).or(args.public_url.as_ref());
    let webhook = match (&api, &secrets.registered) {
        (Some(api), Some(secret)) => {
            let operations: Vec<_> = args.operations.iter().map(ToString::to_string).collect();
            let target = target(public)?;
            tokio::select! {
                biased;
                () = interrupts.next() => {
                    // The question has no line end.
                    let _ = writeln!(anstream::stderr());
                    return Ok(ExitCode::SUCCESS);
                }
                offered = temporary::offer_to_remove_left(api) => offered?,
            }
            Some(Temporary::create(api, "listen", target, &operations, secret).await?)
        }
        _ => None,
    };
    if let Some(webhook) = &webhook {
        let _ = writeln!(anstream::stderr(), "Created the temporary webhook {}", webhook.id());
    }
    let mut session = Session::new(&args, received, interrupts, ui);
    let ended = session.run(tunnel.as_mut()).await;
    // First, because the next steps can fail or be slow.
    if let Some(webhook) = webhook {
        webhook.remove().await;
    }
    let code = ended?;
    drop(stop);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, server).await;
    session.finish()?;
    Ok(code)
}

fn target(public: Option<&Url>) -> anyhow::Result<&Url> {
    let Some(url) = public else {
        bail!(
            "Twenty needs a public URL: give --tunnel cloudflared, or the URL of your own tunnel as --public-url. Twenty refuses \
             private and loopback addresses by default"
        );
    };
    Ok(url)
}

/// The secrets of this run.
struct Secrets {
    verifier: Verifier,
    /// Signs with the current one.
    signer: Signer,
    /// The text of the temporary webhook's secret.
    registered: Option<String>,
}

impl Secrets {
    /// Uses the given secrets, and a new one for the temporary webhook. If none is given, makes one.
    fn new(args: &ListenArgs, addr: SocketAddr) -> anyhow::Result<Self> {
        let registered = if args.register { Some(new_secret()?) } else { None };
        if args.secrets.are_absent() {
            if args.register && args.forward_to.is_some() {
                bail!(
                    "with --register and --forward-to, give your receiver's secret, by TWENTY_WEBHOOK_SECRET or --secret-file: each forwarded \
                     request is signed with it"
                );
            }
            let made = match &registered {
                Some(registered) => registered.clone(),
                None => made_for_this_run(addr)?,
            };
            let secret = Secret::new(made)?;
            return Ok(Self { signer: Signer::new(secret.clone()), verifier: Verifier::new(secret), registered });
        }
        let mut verifier = args.secrets.verifier()?;
        if let Some(registered) = &registered {
            verifier = verifier.also_accept(Secret::new(registered.clone())?);
        }
        Ok(Self { verifier, signer: Signer::new(args.secrets.first()?), registered })
    }

    /// The receiver does not know the temporary webhook's secret, so what is forwarded to it is signed with the one that the user gave.
    fn forward_signer(&self) -> Option<Signer> {
        self.registered.is_some().then(|| self.signer.clone())
    }
}

fn made_for_this_run(addr: SocketAddr) -> anyhow::Result<String> {
    let text = new_secret()?;
    let _ = writeln!(
        anstream::stderr(),
        "No secret is given. For this run it is {text}\n\
         Put it into the webhook's settings in Twenty, or send a sample from another terminal:\n\n  \
         TWENTY_WEBHOOK_SECRET={text} twenty-webhook send http://{addr}/\n"
    );
    Ok(text)
}

/// Serves the page if --ui is given. The receiver is at `receiver`.
async fn ui(args: &ListenArgs, secrets: &Secrets, receiver: SocketAddr) -> anyhow::Result<Option<Ui>> {
    let Some(at) = args.ui else { return Ok(None) };
    // Some systems let the page take an address from a receiver that listens on all of them, and the tunnel would lead to the page.
    if at == receiver {
        bail!("cannot listen on {at} for the page: the receiver listens there");
    }
    let page = LocalPage::bind(at).await?;
    let own = format!("http://{receiver}/");
    let target = args.forward_to.clone().map_or_else(|| Url::parse(&own), Ok)?;
    let ui = Ui::new(secrets.signer.clone(), target);
    let _ = writeln!(anstream::stderr(), "The deliveries are shown at {}", page.url());
    tokio::spawn(page.serve(ui.router(), std::future::pending()));
    Ok(Some(ui))
}

fn greet(args: &ListenArgs, addr: SocketAddr) {
    let forward = args.forward_to.as_ref().map(|url| format!("; verified deliveries are forwarded to {url}"));
    let save = args.save.as_ref().map(|dir| format!("; each is saved in {}", dir.display()));
    let (forward, save) = (forward.unwrap_or_default(), save.unwrap_or_default());
    let _ = writeln!(
        anstream::stderr(),
        "Listening on http://{addr}, at any path{forward}{save}. {FAINT}Ctrl-C ends it.{FAINT:#}"
    );
}
