//! What the commands that look at one run have in common: how the run is named, how their result is printed, and what
//! they say if the simulator itself fails.

use std::path::PathBuf;

use ::plan::FlawAt;
use clap::{Args, ValueEnum};
use owo_colors::OwoColorize;

use super::values;
use crate::case::Case;
use crate::error::Error;
use crate::exit::Exit;

/// Which run: a plan, or one seed of a scenario.
#[derive(Debug, Args)]
pub(super) struct OneRun {
    /// A saved plan, or a scenario together with `--seed`
    pub file: PathBuf,
    /// The seed of a scenario
    #[arg(long)]
    seed: Option<u64>,
    /// Switch on a flaw (a deliberate bug in the members, see docs/flaws.md), in addition to those of the plan; may be
    /// repeated
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    pub flaw: Vec<FlawAt>,
}

impl OneRun {
    /// Reads the file, and finds the seed.
    pub(super) fn load(&self) -> Result<(Case, u64), Error> {
        let case = Case::load(&self.file)?.with_flaws(&self.flaw)?;
        let seed = case.seed(self.seed)?;
        Ok((case, seed))
    }
}

/// The format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HumanOrJson {
    /// For people
    Human,
    /// One JSON object
    Json,
}

/// Prints that the simulator itself failed at a run, and with what message.
pub(super) fn simulator_failed(said: &str) -> Exit {
    super::print(&format!("{}\n{said}\n", "The simulator itself failed.".red().bold()));
    Exit::Harness
}
