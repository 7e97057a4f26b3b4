//! `etcdsim why`: when a failure became certain, and which faults and operations it needs.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::run::{INTERRUPTED, stop_on_ctrl_c};
use super::{Mistakes, values};
use crate::case::Case;
use crate::exit::Exit;
use crate::report::Ended;
use crate::show::why as show;
use crate::why::{Effort, Runs, Why};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A saved plan, or a scenario together with `--seed`
    file: PathBuf,
    /// The seed of a scenario
    #[arg(long)]
    seed: Option<u64>,
    /// Switch a flaw on, in addition to those of the plan
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    flaw: Vec<::plan::FlawAt>,
    /// How many futures are drawn at each instant
    #[arg(long, value_name = "COUNT", default_value = "50")]
    draws: NonZeroUsize,
    /// At how many instants at most
    #[arg(long, value_name = "COUNT", default_value = "40")]
    instants: NonZeroUsize,
    /// How many threads run futures [default: all cores]
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Start no run after this time: `5m`, `90s`; shows what is known by then
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = values::duration)]
    time_budget: Duration,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

/// Runs the command `why`.
pub(super) fn why(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.file)?.with_flaws(&arguments.flaw)?;
    let seed = case.seed(arguments.seed)?;
    let plan = case.plan(seed);
    let mut effort = Effort::default();
    (effort.draws, effort.instants) = (arguments.draws.get(), arguments.instants.get());
    let jobs = arguments.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
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
        Format::Human => show::human(&case.file, seed, &why),
        Format::Json => show::json(&why),
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
