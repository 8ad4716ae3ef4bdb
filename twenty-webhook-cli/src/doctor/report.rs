use std::io::Write;

use serde_json::json;

use crate::api::Webhook;
use crate::terminal::{self, BAD, FAINT, GOOD, WARNING};

/// What a check found.
#[derive(Clone, Debug)]
pub(super) struct Check {
    /// A stable name, for scripts.
    code: &'static str,
    result: Result,
    what: String,
    why: Option<String>,
    fix: Option<String>,
    /// Its id and its target.
    webhook: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    Ok,
    Skipped,
    Warning,
    Wrong,
}

impl Check {
    pub(super) fn ok(code: &'static str, what: impl Into<String>) -> Self {
        Self { code, result: Result::Ok, what: what.into(), why: None, fix: None, webhook: None }
    }

    pub(super) fn skipped(code: &'static str, what: impl Into<String>) -> Self {
        Self { result: Result::Skipped, ..Self::ok(code, what) }
    }

    pub(super) fn warning(
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { result: Result::Warning, ..Self::wrong(code, what, why, fix) }
    }

    pub(super) fn wrong(
        code: &'static str,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (why, fix) = (Some(why.into()), Some(fix.into()));
        Self { result: Result::Wrong, why, fix, ..Self::ok(code, what) }
    }

    /// A check of this webhook.
    pub(super) fn of(mut self, webhook: &Webhook) -> Self {
        self.webhook = Some((webhook.id.clone(), webhook.target_url.clone()));
        self
    }
}

/// Prints checks as they are made.
pub(super) struct Report {
    as_json: bool,
    is_wrong: bool,
}

impl Report {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json, is_wrong: false }
    }

    /// Whether anything is wrong so far.
    pub(super) fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    /// A heading for the checks that follow.
    pub(super) fn about(&self, text: &str) -> anyhow::Result<()> {
        if !self.as_json {
            writeln!(terminal::stdout(), "\n{FAINT}{text}{FAINT:#}")?;
        }
        Ok(())
    }

    pub(super) fn add(&mut self, check: &Check) -> anyhow::Result<()> {
        self.is_wrong |= check.result == Result::Wrong;
        let (style, word) = match check.result {
            Result::Ok => (GOOD, "ok"),
            Result::Skipped => (FAINT, "-"),
            Result::Warning => (WARNING, "warning"),
            Result::Wrong => (BAD, "wrong"),
        };
        let mut out = terminal::stdout();
        if self.as_json {
            let (id, target) = check.webhook.as_ref().map(|(id, target)| (id, target)).unzip();
            let line = json!({
                "webhook": id, "target_url": target, "check": check.code, "result": if word == "-" { "skipped" } else { word },
                "what": check.what, "why": check.why, "fix": check.fix,
            });
            writeln!(out, "{}", terminal::json(&line))?;
            return Ok(());
        }
        let line = terminal::wrapped(&format!("{word:<7} "), &check.what);
        writeln!(out, "{style}{word}{style:#}{}", &line[word.len()..])?;
        for (label, text) in [("why", &check.why), ("fix", &check.fix)] {
            if let Some(text) = text {
                let line = terminal::wrapped(&format!("        {label}  "), text);
                writeln!(out, "        {FAINT}{label}{FAINT:#}{}", &line[8 + label.len()..])?;
            }
        }
        Ok(())
    }
}
