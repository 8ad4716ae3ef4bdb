//! Measures cases in alternation: A B C, A B C, … so that a disturbance of the machine affects all of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// One of the compared cases.
pub struct Case<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Case<'a> {
    /// `run` does the work once. Its result is not optimised away.
    pub fn new<T>(name: &'static str, mut run: impl FnMut() -> T + 'a) -> Self {
        let run = Box::new(move || {
            std::hint::black_box(run());
        });
        Self { name, run }
    }

    fn time(&mut self, iterations: u32) -> Duration {
        let start = thread_cpu_time();
        for _ in 0..iterations {
            (self.run)();
        }
        thread_cpu_time().saturating_sub(start)
    }
}

/// The median time and the quartiles of each case, in the given order.
pub struct Medians(Vec<(&'static str, Spread)>);

/// The quartiles of the times of one case.
struct Spread {
    lower: Duration,
    median: Duration,
    upper: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |quarter: usize| times[times.len() * quarter / 4];
        Self { lower: at(1), median: at(2), upper: at(3) }
    }
}

impl Medians {
    /// Runs every case in each round, for about 0.2 ms of CPU time. It measures CPU time, so other processes do not count.
    pub fn of(mut cases: Vec<Case<'_>>, rounds: usize) -> Self {
        let iterations: Vec<u32> = cases.iter_mut().map(iterations_per_round).collect();
        let mut times = vec![Vec::with_capacity(rounds); cases.len()];
        for _ in 0..rounds {
            for ((case, &iterations), times) in cases.iter_mut().zip(&iterations).zip(&mut times) {
                times.push(case.time(iterations) / iterations);
            }
        }
        Self(cases.iter().zip(times).map(|(case, times)| (case.name, Spread::of(times))).collect())
    }

    /// The median time of the case `name`.
    pub fn time(&self, name: &str) -> Duration {
        let found = self.0.iter().find(|(case, _)| *case == name);
        found.unwrap_or_else(|| panic!("no case is called {name}")).1.median
    }

    /// How many times as long `name` takes as `other`.
    pub fn ratio(&self, name: &str, other: &str) -> f64 {
        self.time(name).as_secs_f64() / self.time(other).as_secs_f64()
    }

    /// Prints the rows of a table: name, microseconds with their quartiles, and times as long as `reference`.
    pub fn print(&self, title: &str, reference: &str) {
        println!("\n| {title} | µs | quartiles | × {reference} |\n|---|---:|---:|---:|");
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        for (name, Spread { lower, median, upper }) in &self.0 {
            let quartiles = format!("{:.3} to {:.3}", micros(*lower), micros(*upper));
            println!("| {name} | {:.3} | {quartiles} | {:.2} |", micros(*median), self.ratio(name, reference));
        }
    }
}

fn iterations_per_round(case: &mut Case<'_>) -> u32 {
    const CPU_TIME: Duration = Duration::from_micros(200);
    let mut iterations = 1;
    while iterations < 1 << 20 && case.time(iterations) < CPU_TIME {
        iterations *= 2;
    }
    iterations
}

/// The median value.
pub fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("the values are comparable"));
    values[values.len() / 2]
}

/// The CPU time that this thread has used.
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it counts from zero")
}
