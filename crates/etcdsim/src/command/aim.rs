//! `etcdsim aim`: changes a saved plan a little until it again reaches what its failing run reached.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::run::{INTERRUPTED, stop_on_ctrl_c};
use super::{Mistakes, values};
use crate::aim::{Aimed, aim};
use crate::case::Case;
use crate::error::Error;
use crate::exit::Exit;
use crate::saved;
use crate::show::numbers;
use crate::why::Runs;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// A saved plan; its head lists what it should reach
    file: PathBuf,
    /// Where the new plan is written [default: in place of the old one]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How many changed plans to try at most
    #[arg(long, value_name = "COUNT", default_value_t = 800)]
    tries: usize,
    /// How many threads run plans [default: all cores]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Try no plan after this time: `5m`, `90s`
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    time_budget: Option<Duration>,
}

const AFTER_HELP: &str = "\
Exit codes: 0 it reaches everything again, 1 a changed plan fails (which is what it is for), 5 it does not get there, \
130 interrupted.";

/// Runs the command `aim`.
pub(super) fn aim_plan(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.file)?;
    let goal = case.saved().and_then(|saved| saved.landmarks.clone());
    let goal = goal.ok_or_else(|| Error::NothingReached { file: case.file.clone() })?;
    let jobs = values::threads(arguments.jobs);
    stop_on_ctrl_c();
    let runs = Runs::new(jobs, arguments.time_budget, &INTERRUPTED, &|_| {});
    let Some(aimed) = aim(&case.plan(0), &goal, arguments.tries, &runs) else {
        super::print(&format!("{}: the simulator itself fails at this plan.\n", case.file));
        return Ok(Exit::Harness);
    };
    let output = arguments.output.as_ref().unwrap_or(&arguments.file);
    let there = aimed.missing.is_empty() || aimed.failure.is_some();
    if there && !aimed.changes.is_empty() {
        let unreadable = |error| Error::Unreadable { path: arguments.file.clone(), error };
        let old = fs::read_to_string(&arguments.file).map_err(unreadable)?;
        let head = saved::head_of_aimed(&old, aimed.trace_hash, &aimed.changes);
        let unwritable = |error| Error::Unwritable { path: output.clone(), error };
        fs::write(output, head + "\n" + &aimed.plan.to_toml()).map_err(unwritable)?;
    }
    super::print(&text(&case.file, &aimed, &output.display().to_string()));
    Ok(if aimed.failure.is_some() {
        Exit::Violation
    } else if there {
        Exit::Held
    } else if INTERRUPTED.load(std::sync::atomic::Ordering::Relaxed) {
        Exit::Interrupted
    } else {
        Exit::NotReproduced
    })
}

/// The result, as text.
fn text(file: &str, aimed: &Aimed, output: &str) -> String {
    let tries = numbers::counted(aimed.tries, "changed plan");
    let mut text = match (&aimed.failure, aimed.missing.as_slice()) {
        (Some(failure), _) => format!("{file}: after {tries}, {}: {}.\n", failure.oracles(), failure.title()),
        (None, []) if aimed.changes.is_empty() => {
            return format!("{file} still reaches what it reached; nothing need be changed.\n");
        }
        (None, []) => format!("{file}: after {tries}, it again reaches what it reached.\n"),
        (None, missing) => {
            return format!("{file}: after {tries}, the best one does not reach {}.\n", missing.join(", "));
        }
    };
    for change in &aimed.changes {
        text += &format!("  {change}\n");
    }
    if !aimed.changes.is_empty() {
        text += &format!("Written to {output}.\n");
    }
    text
}
