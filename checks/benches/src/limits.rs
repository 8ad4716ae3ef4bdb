//! The limits that the measured numbers must keep.

use std::process::ExitCode;

/// The limits of one bench. Each is printed as it is judged.
#[derive(Debug, Default)]
pub struct Limits {
    missed: usize,
}

impl Limits {
    /// `measured` must be at most `limit`.
    pub fn at_most(&mut self, what: &str, measured: f64, limit: f64) {
        self.judge(what, measured, "at most", limit, measured <= limit);
    }

    /// `measured` must be at least `limit`.
    pub fn at_least(&mut self, what: &str, measured: f64, limit: f64) {
        self.judge(what, measured, "at least", limit, measured >= limit);
    }

    fn judge(&mut self, what: &str, measured: f64, relation: &str, limit: f64, met: bool) {
        println!("{}  {what}: {measured:.2}, {relation} {limit:.2}", if met { "PASS" } else { "FAIL" });
        self.missed += usize::from(!met);
    }

    /// A failure if a limit was missed.
    pub fn exit_code(&self) -> ExitCode {
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
