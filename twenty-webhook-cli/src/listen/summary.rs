use std::collections::BTreeMap;
use std::fmt;

use super::report::{Report, Verdict};
use crate::terminal::deliveries;

/// Counts deliveries by verdict and reason.
#[derive(Default)]
pub(super) struct Summary {
    verdicts: BTreeMap<Verdict, usize>,
    rejections: BTreeMap<&'static str, usize>,
}

impl Summary {
    pub(super) fn add(&mut self, report: &Report) {
        *self.verdicts.entry(report.verdict()).or_default() += 1;
        if let (Verdict::Rejected, Some(code)) = (report.verdict(), report.code()) {
            *self.rejections.entry(code).or_default() += 1;
        }
    }
}

/// `12 deliveries: 10 verified, 1 duplicate, 1 rejected (signature_mismatch 1)`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.verdicts.values().sum();
        let verdicts: Vec<_> =
            self.verdicts.iter().map(|(verdict, count)| format!("{count} {}", verdict.as_str())).collect();
        let rejections: Vec<_> = self.rejections.iter().map(|(code, count)| format!("{code} {count}")).collect();
        f.write_str(&deliveries(all))?;
        if !verdicts.is_empty() {
            write!(f, ": {}", verdicts.join(", "))?;
        }
        if !rejections.is_empty() {
            write!(f, " ({})", rejections.join(", "))?;
        }
        Ok(())
    }
}
