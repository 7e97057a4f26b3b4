//! Progress, on stderr: a bar where that is a terminal, a line a minute where it is not.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use record::Stats;

use crate::report::{End, SeedRun};
use crate::show::numbers;
use crate::stopwatch::Stopwatch;

/// Time between two lines, where there is no bar. Short runs tell none.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

pub(super) struct Progress {
    bar: ProgressBar,
    stopwatch: Stopwatch,
    /// How many lines are due by now.
    lines: u32,
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
        Progress { bar, stopwatch: Stopwatch::start(), lines: 0, virtual_ns: 0, faults: 0, failures: 0 }
    }

    pub(super) fn one_more(&mut self, run: &SeedRun, stats: &Stats) {
        self.virtual_ns += stats.virtual_ns;
        self.faults += stats.faults.values().sum::<u64>();
        self.failures += usize::from(!matches!(run.end, End::Held));
        self.bar.inc(1);
        let wall = self.stopwatch.elapsed();
        if !self.bar.is_hidden() {
            self.bar.set_message(self.so_far(wall));
        } else if wall >= BETWEEN_LINES * (self.lines + 1) {
            self.lines = (wall.as_secs() / BETWEEN_LINES.as_secs()) as u32;
            let (done, of) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{}/{} seeds · {}", numbers::count(done), numbers::count(of), self.so_far(wall));
        }
    }

    fn so_far(&self, wall: Duration) -> String {
        let seeds_per_second = self.bar.position() as f64 / wall.as_secs_f64().max(0.001);
        format!(
            "{seeds_per_second:.1}/s · {} x real time · {} · {}",
            numbers::speed(self.virtual_ns, wall),
            numbers::counted(self.faults as usize, "fault"),
            numbers::counted(self.failures, "failure"),
        )
    }

    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}
