//! A process that runs jobs with mutants for the tool: lines in on stdin, lines out on stdout.
//!
//! ```text
//! (start)      ← ready 2, then a line for each job: its name
//! run 17 0     ← done caught 5c1f… K1
//! record 1     ← reached 3 5+ 17, then done held 77aa…
//! ```
//!
//! Each line out begins with [`PREFIX`], so that anything else the program prints does no harm. Fields are separated by
//! tabs.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The beginning of each line of the protocol on stdout.
pub const PREFIX: &str = "@mutants\t";

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was found.
    Held,
    /// A verdict: something was found.
    Caught,
    /// What was run panicked, as a real process would.
    Panicked,
    /// The code that runs or judges panicked.
    Broken,
}

impl Ending {
    /// Its word in the protocol.
    pub const fn word(self) -> &'static str {
        match self {
            Ending::Held => "held",
            Ending::Caught => "caught",
            Ending::Panicked => "panicked",
            Ending::Broken => "broken",
        }
    }
}

/// The answer to a job.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub ending: Ending,
    /// A digest of all steps of the run: two runs that took the same steps have the same.
    pub trace: String,
    /// The oracle or test that found something.
    pub by: String,
    /// The whole verdict: which oracles found something. A mutant of an oracle changes it.
    pub verdict: String,
    /// What was found, in a few words.
    pub says: String,
}

/// Runs jobs until stdin ends. `run` gets the number of a job.
///
/// # Errors
/// If stdin or stdout fails.
pub fn serve(jobs: &[String], mut run: impl FnMut(usize) -> Answer) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{PREFIX}ready\t{}", jobs.len())?;
    for job in jobs {
        writeln!(out, "{PREFIX}job\t{}", one_line(job))?;
    }
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |nth: usize| words.get(nth).and_then(|word| word.parse::<u32>().ok());
        let (mutant, job) = match (words.first(), number(1), number(2)) {
            (Some(&"run"), Some(mutant), Some(job)) => (Some(mutant), job as usize),
            (Some(&"record"), Some(job), None) => (None, job as usize),
            _ => return Err(io::Error::other(format!("not a line of the protocol: {line}"))),
        };
        if job >= jobs.len() {
            return Err(io::Error::other(format!("there is no job {job}")));
        }
        match mutant {
            Some(mutant) => crate::choose(mutant),
            None => crate::begin(),
        }
        let answer = catch_unwind(AssertUnwindSafe(|| run(job)));
        let reached = crate::end();
        if mutant.is_none() {
            let marks: Vec<_> =
                reached.iter().map(|(mutant, differ)| crate::mark(*mutant, *differ)).collect();
            writeln!(out, "{PREFIX}reached\t{}", marks.join(" "))?;
        }
        let panicked = answer.is_err();
        let Answer { ending, trace, by, verdict, says } = answer.unwrap_or_else(|_| Answer {
            ending: Ending::Broken,
            trace: String::new(),
            by: String::new(),
            verdict: String::new(),
            says: "the program that runs the jobs panicked".into(),
        });
        let fields = [&trace, &by, &verdict, &says].map(|field| one_line(field));
        writeln!(out, "{PREFIX}done\t{}\t{}", ending.word(), fields.join("\t"))?;
        out.flush()?;
        if panicked || matches!(ending, Ending::Broken) {
            // Nobody knows what a panic has left behind. The tool starts another process.
            return Ok(());
        }
    }
    Ok(())
}

/// A text without what the protocol uses itself.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
