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
                Some(report) = self.received.recv() => {
                    self.print(&report)?;
                    if self.args.until.is_some_and(|until| self.verified >= until.get()) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                () = self.interrupts.next() => return Ok(ExitCode::SUCCESS),
                () = &mut timeout => return Ok(ExitCode::from(NO)),
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
