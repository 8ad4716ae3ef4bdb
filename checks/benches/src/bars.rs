//! What the numbers must show.

use std::process::ExitCode;

/// The bars of one bench. Each is printed as it is judged.
#[derive(Debug, Default)]
pub struct Bars {
    missed: usize,
}

impl Bars {
    /// `measured` must be at most `bar`.
    pub fn at_most(&mut self, what: &str, measured: f64, bar: f64) {
        self.judge(what, measured, "at most", bar, measured <= bar);
    }

    /// `measured` must be at least `bar`.
    pub fn at_least(&mut self, what: &str, measured: f64, bar: f64) {
        self.judge(what, measured, "at least", bar, measured >= bar);
    }

    fn judge(&mut self, what: &str, measured: f64, relation: &str, bar: f64, met: bool) {
        println!("{}  {what}: {measured:.2}, {relation} {bar:.2}", if met { "PASS" } else { "FAIL" });
        self.missed += usize::from(!met);
    }

    /// A failure if a bar was missed.
    pub fn exit_code(&self) -> ExitCode {
        if self.missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
