//! `etcdsim plan`: prints the plan that a scenario and a seed make, in the text form that `etcdsim replay` reads.

use std::path::PathBuf;

use clap::Args;

use super::{Mistakes, values};
use crate::case::Case;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario
    scenario: PathBuf,
    /// The seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Switch a flaw on in the plan
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    flaw: Vec<::plan::FlawAt>,
}

/// Runs the command `plan`.
pub(super) fn print(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.scenario)?.with_flaws(&arguments.flaw)?;
    super::print(&case.plan(arguments.seed).to_toml());
    Ok(Exit::Held)
}
