//! The progress bar: on stderr, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

use crate::report::{End, SeedRun};
use crate::show::numbers;
use crate::stopwatch::Stopwatch;

pub(super) struct Progress {
    bar: ProgressBar,
    stopwatch: Stopwatch,
    virtual_ns: u64,
    faults: u64,
    failures: usize,
}

impl Progress {
    pub(super) fn start(seeds: usize) -> Progress {
        let style =
            ProgressStyle::with_template("{elapsed_precise} {bar:24} {human_pos}/{human_len} seeds · {msg}")
                .expect("the template of the progress bar is a constant");
        // Without a terminal the bar is hidden, and nothing ticks.
        let bar = ProgressBar::new(seeds as u64).with_style(style);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Progress { bar, stopwatch: Stopwatch::start(), virtual_ns: 0, faults: 0, failures: 0 }
    }

    pub(super) fn one_more(&mut self, run: &SeedRun) {
        self.virtual_ns += run.stats.virtual_ns;
        self.faults += run.stats.faults.values().sum::<u64>();
        self.failures += usize::from(!matches!(run.end, End::Held));
        self.bar.inc(1);
        if self.bar.is_hidden() {
            return;
        }
        let wall = self.stopwatch.elapsed();
        let seeds_per_second = self.bar.position() as f64 / wall.as_secs_f64().max(0.001);
        self.bar.set_message(format!(
            "{seeds_per_second:.1}/s · {} x real time · {} · {}",
            numbers::speed(self.virtual_ns, wall),
            numbers::counted(self.faults as usize, "fault"),
            numbers::counted(self.failures, "failure"),
        ));
    }

    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}
