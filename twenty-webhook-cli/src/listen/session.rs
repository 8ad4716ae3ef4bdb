use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ListenArgs;
use super::report::{Report, Style, Verdict};
use super::summary::Summary;
use super::ui::Ui;
use crate::NO;
use crate::signals::Interrupts;
use crate::tunnel::Tunnel;

/// Prints the deliveries until the session ends.
pub(super) struct Session<'a> {
    args: &'a ListenArgs,
    received: mpsc::Receiver<Report>,
    interrupts: Interrupts,
    summary: Summary,
    verified: usize,
    style: Style,
    ui: Option<Ui>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        args: &'a ListenArgs,
        received: mpsc::Receiver<Report>,
        interrupts: Interrupts,
        ui: Option<Ui>,
    ) -> Self {
        let style = match (args.json, args.body) {
            (true, _) => Style::Json,
            (false, true) => Style::TextWithBody,
            (false, false) => Style::Text,
        };
        Self { args, received, interrupts, summary: Summary::default(), verified: 0, style, ui }
    }

    /// Runs until Ctrl-C, --until, --timeout, or the end of the tunnel.
    pub(super) async fn run(&mut self, mut tunnel: Option<&mut Tunnel>) -> anyhow::Result<ExitCode> {
        let wait = self.args.timeout.map_or(Duration::MAX, |wait| wait.0);
        let mut timeout = std::pin::pin!(sleep(wait));
        loop {
            let tunnel_ended = async {
                match &mut tunnel {
                    Some(tunnel) => tunnel.ended().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Ctrl-C and --timeout come first, so that a flood of deliveries does not delay them.
                biased;
                () = self.interrupts.next() => return Ok(ExitCode::SUCCESS),
                () = &mut timeout => return Ok(ExitCode::from(NO)),
                Some(report) = self.received.recv() => {
                    self.print(&report)?;
                    if self.args.until.is_some_and(|until| self.verified >= until.get()) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                error = tunnel_ended => return Err(error),
            }
        }
    }

    /// Prints the last deliveries and the summary.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        while let Ok(report) = self.received.try_recv() {
            self.print(&report)?;
        }
        let _ = writeln!(anstream::stderr(), "\n{}", self.summary);
        Ok(())
    }

    fn print(&mut self, report: &Report) -> anyhow::Result<()> {
        if !report.is_wanted(&self.args.events) {
            return Ok(());
        }
        self.summary.add(report);
        if let Some(ui) = &self.ui {
            ui.add(report);
        }
        self.verified += usize::from(report.verdict() == Verdict::Verified);
        Ok(report.print(self.style)?)
    }
}

/// `Duration::MAX` never ends.
async fn sleep(wait: Duration) {
    if wait == Duration::MAX {
        std::future::pending::<()>().await;
    } else {
        tokio::time::sleep(wait).await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use bytes::Bytes;
    use clap::Parser;
    use http::{HeaderMap, Method, StatusCode};
    use tokio::sync::mpsc;

    use super::{Duration, Interrupts, Report, Session};
    use crate::cli::{Cli, Command};

    fn report() -> Report {
        Report {
            received: crate::time::now(),
            method: Method::POST,
            path: "/".to_owned(),
            status: StatusCode::OK,
            rejection: None,
            findings: Vec::new(),
            event: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            duration: Duration::ZERO,
            forwarded: None,
            saved: None,
        }
    }

    #[tokio::test]
    async fn a_signal_comes_before_waiting_deliveries() {
        let Command::Listen(args) = Cli::parse_from(["twenty-webhook", "listen"]).command else { panic!() };
        for _ in 0..20 {
            let (reports, received) = mpsc::channel(10);
            for _ in 0..10 {
                reports.send(report()).await.unwrap();
            }
            // The first shows that the signal has arrived at both.
            let (mut first, second) = (Interrupts::new().unwrap(), Interrupts::new().unwrap());
            let kill = ["-TERM", &std::process::id().to_string()].map(str::to_owned);
            assert!(std::process::Command::new("kill").args(kill).status().unwrap().success());
            first.next().await;
            let mut session = Session::new(&args, received, second, None);
            session.run(None).await.unwrap();
            assert_eq!(session.received.len(), 10, "none was printed");
        }
    }
}
