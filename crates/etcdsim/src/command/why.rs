//! `etcdsim why`: when a failure became certain, and which faults and operations it needs.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::one_run::{HumanOrJson, OneRun};
use super::run::{INTERRUPTED, stop_on_ctrl_c};
use super::{Mistakes, values};
use crate::exit::Exit;
use crate::report::Ended;
use crate::show::why as show;
use crate::why::{Effort, Runs, Why};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: OneRun,
    /// How many futures are drawn at each instant
    #[arg(long, value_name = "COUNT", default_value = "50")]
    draws: NonZeroUsize,
    /// At how many instants at most
    #[arg(long, value_name = "COUNT", default_value = "40")]
    instants: NonZeroUsize,
    /// How many threads run futures [default: all cores]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Start no run after this time: `5m`, `90s`; the result shows what is known so far
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration)]
    time_budget: Duration,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = HumanOrJson::Human)]
    format: HumanOrJson,
}

/// Runs the command `why`.
pub(super) fn why(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (case, seed) = arguments.run.load()?;
    let plan = case.plan(seed);
    let mut effort = Effort::default();
    (effort.draws, effort.instants) = (arguments.draws.get(), arguments.instants.get());
    let jobs = values::threads(arguments.jobs);
    let bar = bar();
    stop_on_ctrl_c();
    let progress = |done: usize| bar.set_position(done as u64);
    let runs = Runs::new(jobs, Some(arguments.time_budget), &INTERRUPTED, &progress);
    let why = Why::ask(&plan, effort, &runs);
    bar.finish_and_clear();
    let Some(why) = why else {
        super::print(&format!("{}, seed {seed}: nothing fails, so there is nothing to ask.\n", case.file));
        return Ok(Exit::NotReproduced);
    };
    super::print(&match arguments.format {
        HumanOrJson::Human => show::human(&case.file, seed, &why),
        HumanOrJson::Json => show::json(&why),
    });
    Ok(if why.ended == Ended::Interrupted { Exit::Interrupted } else { Exit::Held })
}

/// Shows how many runs there were, on a terminal.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed_precise} {human_pos} futures drawn");
    let bar = ProgressBar::no_length().with_style(style.expect("the template of the progress is a constant"));
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
