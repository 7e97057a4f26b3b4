//! Shows on stderr how far a piece of work is: on a terminal in one line that changes, otherwise in a new line from
//! time to time.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::stopwatch::Stopwatch;

/// How often a line is written where the line cannot change.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// How far a piece of work is.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    total: usize,
    /// How many were done before this call began: they do not count for the speed.
    before: usize,
    done: usize,
    note: String,
    since_start: Stopwatch,
    since_line: Option<Stopwatch>,
    changes_line: bool,
}

impl Progress {
    /// Begins. `what` is what is counted, in the plural.
    pub fn start(what: &'static str, total: usize, before: usize) -> Progress {
        let (note, changes_line) = (String::new(), io::stderr().is_terminal());
        let since_start = Stopwatch::start();
        Progress { what, total, before, done: before, note, since_start, since_line: None, changes_line }
    }

    /// One more is done. `note` sums up the results so far.
    pub fn add(&mut self, note: String) {
        self.done += 1;
        self.note = note;
        let wait = if self.changes_line { Duration::from_millis(200) } else { BETWEEN_LINES };
        if self.since_line.is_none_or(|line| line.elapsed() >= wait) {
            self.since_line = Some(Stopwatch::start());
            self.show();
        }
    }

    /// Ends, with a last line.
    pub fn end(self) {
        self.show();
        if self.changes_line {
            eprintln!();
        }
    }

    fn show(&self) {
        let text =
            line(self.what, self.done, self.total, self.done - self.before, self.since_start.elapsed());
        let note = if self.note.is_empty() { String::new() } else { format!("; {}", self.note) };
        // Nobody reads it if stderr is closed.
        let _ = match self.changes_line {
            true => write!(io::stderr(), "\r\x1b[2K{text}{note}"),
            false => writeln!(io::stderr(), "{text}{note}"),
        };
    }
}

/// How far, how fast, and how long it will still take.
fn line(what: &str, done: usize, total: usize, since_start: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    if since_start == 0 || seconds <= 0.0 || done >= total {
        return format!("{done} of {total} {what}, {} s", elapsed.as_secs());
    }
    let rate = since_start as f64 / seconds;
    let left = (total - done) as f64 / rate / 60.0;
    format!("{done} of {total} {what}, {:.1} a minute, about {:.0} min left", rate * 60.0, left.ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_this_call() {
        let text = line("mutants", 110, 210, 10, Duration::from_secs(60));
        assert_eq!(text, "110 of 210 mutants, 10.0 a minute, about 10 min left");
        assert_eq!(line("seeds", 0, 5, 0, Duration::ZERO), "0 of 5 seeds, 0 s");
    }
}
