use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::{Answer, Failure};
use crate::terminal::{self, BAD, GOOD, deliveries, duration, millis};

/// The receiver's results.
pub(super) struct Summary {
    asked_for: usize,
    statuses: BTreeMap<u16, usize>,
    failures: BTreeMap<String, usize>,
    latencies: Vec<Duration>,
    any_sent: bool,
}

impl Summary {
    pub(super) fn new(asked_for: usize) -> Self {
        Self { asked_for, statuses: BTreeMap::new(), failures: BTreeMap::new(), latencies: Vec::new(), any_sent: false }
    }

    pub(super) fn add(&mut self, answer: Result<Answer, Failure>) {
        self.any_sent |= answer.as_ref().map_or_else(|failure| failure.is_sent, |_| true);
        match answer {
            Ok(answer) => {
                *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
                self.latencies.push(answer.duration);
            }
            Err(failure) => *self.failures.entry(failure.why).or_default() += 1,
        }
    }

    /// Whether the receiver can have got any.
    pub(super) fn any_sent(&self) -> bool {
        self.any_sent
    }

    /// Whether every one that was asked for was sent, and answered with 2xx.
    pub(super) fn all_delivered(&self) -> bool {
        let delivered: usize = self.statuses.range(200..300).map(|(_, count)| count).sum();
        delivered == self.asked_for
    }

    pub(super) fn print(&mut self, as_json: bool, elapsed: Duration) -> anyhow::Result<()> {
        self.latencies.sort_unstable();
        let sent = self.statuses.values().sum::<usize>() + self.failures.values().sum::<usize>();
        #[expect(clippy::cast_precision_loss, reason = "a rate to print")]
        let rate = sent as f64 / elapsed.as_secs_f64().max(1e-9);
        let [min, median, p90, p99, max] = [0, 50, 90, 99, 100].map(|percent| self.percentile(percent));
        let mut out = terminal::stdout();
        if as_json {
            let line = json!({
                "sent": sent,
                "seconds": (elapsed.as_secs_f64() * 1e3).round() / 1e3,
                "per_second": rate.round(),
                "statuses": self.statuses.iter().map(|(status, count)| (status.to_string(), *count)).collect::<BTreeMap<_, _>>(),
                "failures": self.failures,
                "latency_ms": {
                    "min": millis(min), "median": millis(median), "p90": millis(p90), "p99": millis(p99), "max": millis(max),
                },
            });
            return Ok(writeln!(out, "{line}")?);
        }
        writeln!(out, "{} in {}, {rate:.0} a second", deliveries(sent), duration(elapsed))?;
        for (status, count) in &self.statuses {
            let style = if (200..300).contains(status) { GOOD } else { BAD };
            writeln!(out, "{style}{status}{style:#} {count:>8}")?;
        }
        for (why, count) in &self.failures {
            let line = terminal::wrapped(&format!("--- {count:>8}  "), why);
            writeln!(out, "{BAD}---{BAD:#}{}", &line[3..])?;
        }
        if !self.latencies.is_empty() {
            let [min, median, p90, p99, max] = [min, median, p90, p99, max].map(duration);
            let line = format!("fastest {min}, median {median}, 90% {p90}, 99% {p99}, slowest {max}");
            writeln!(out, "{}", terminal::wrapped("latency: ", &line))?;
        }
        Ok(())
    }

    /// The latency at this percentile.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).copied().unwrap_or_default()
    }
}
