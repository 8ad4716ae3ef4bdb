use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use twenty_webhook_catchup::{Phase, Progress as Step};

/// A bar on stderr, if that is a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    with_total: ProgressStyle,
    without_total: ProgressStyle,
}

impl Progress {
    pub(super) fn new() -> anyhow::Result<Self> {
        let with_total = ProgressStyle::with_template("{bar:20} {pos}/{len}  {msg}  {elapsed}")?;
        let without_total = ProgressStyle::with_template("{spinner} {pos}  {msg}  {elapsed}")?;
        let bar = ProgressBar::no_length().with_style(without_total.clone()).with_message("reading the data model");
        // It shows that it waits, for the rate of requests or for Twenty.
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self { bar, with_total, without_total })
    }

    pub(super) fn show(&self, step: &Step) {
        let phase = match step.phase {
            Phase::Changes => "changes",
            Phase::Ids => "all ids",
            _ => "asking for what is missing",
        };
        match step.total {
            Some(total) => {
                self.bar.set_style(self.with_total.clone());
                self.bar.set_length(total.max(step.done));
            }
            None => self.bar.set_style(self.without_total.clone()),
        }
        self.bar.set_position(step.done);
        self.bar.set_message(format!("{}: {phase}, {} found", step.object, step.events));
    }

    /// Prints something above the bar.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
