//! The arguments of the command line. Their descriptions are the text of `--help`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::select::Shard;

/// Puts all mutants of a crate into one program, runs each with seeds of the simulator, and says which ones nothing
/// notices.
#[derive(Debug, Parser)]
#[command(name = "etcdsim-mutants", version, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  etcdsim-mutants run raft
      all mutants of the files that raft's list names, each with up to 40 seeds of the swarm
  etcdsim-mutants run member --sample 600 --sample-seed 1
      a sample of the member's; the same 600 as long as their code does not change
  etcdsim-mutants run raft --shard 1/4
      a quarter, for one of four machines; `report` puts the four journals together
  etcdsim-mutants run verify --only src/specification --compare verdict --seeds 5 --flaw-seeds 2
      which checks can be weakened without a verdict that changes
  etcdsim-mutants run verify --tests --sample 300 --sample-seed 1
      which checks can be weakened without a test that fails

Exit codes:
    0  done, whatever the score
    2  bad usage, or something that does not work; stderr says what to do";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tries the mutants of a package
    Run(RunArguments),
    /// Lists the mutants of a package, without building anything
    List(ListArguments),
    /// Makes the report of one or more journals, such as those of all shards
    Report(ReportArguments),
}

/// Which mutants.
#[derive(Debug, Args)]
pub struct What {
    /// The package: its name, `NAME@VERSION`, or the folder of a member of the workspace
    pub package: String,
    /// Only files whose path in the package begins with this, such as `src/tracker`; may be repeated [default: those
    /// that the list names, or all]
    #[arg(long, value_name = "PATH")]
    pub only: Vec<String>,
    /// The list of mutants that nothing can tell from the original [default: the one in crates/mutants/lists, if there
    /// is one]
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// A folder of the workspace
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub workspace: PathBuf,
    /// Where everything is written [default: target/mutants/PACKAGE]
    #[arg(long, value_name = "FOLDER")]
    pub work_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub what: What,
    /// The most seeds of each scenario that a mutant runs with
    #[arg(long, default_value_t = 40)]
    pub seeds: u64,
    /// A scenario, from the folder of the workspace; may be repeated [default: scenarios/swarm.toml]
    #[arg(long, value_name = "FILE")]
    pub scenario: Vec<PathBuf>,
    /// How many seeds of the scenario of each flaw, with the flaw on; only with `--compare verdict`
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub flaw_seeds: u64,
    /// What counts as noticing a mutant: a run that finds something, or a verdict that changes
    #[arg(long, value_enum, default_value_t = By::Trace)]
    pub compare: By,
    /// Run the package's own tests instead of the simulator
    #[arg(long, conflicts_with_all = ["seeds", "scenario", "flaw_seeds", "compare"])]
    pub tests: bool,
    /// Try only this many mutants
    #[arg(long, value_name = "COUNT")]
    pub sample: Option<NonZeroUsize>,
    /// Which sample
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "sample")]
    pub sample_seed: u64,
    /// Try only this part of the mutants: `1/4` to `4/4`
    #[arg(long, value_name = "NTH/COUNT")]
    pub shard: Option<Shard>,
    /// Continue the run that was interrupted
    #[arg(long)]
    pub resume: bool,
    /// How many processes run at a time [default: all cores; with `--tests` one, because two processes of one test may
    /// write into the same folder]
    #[arg(long, value_name = "COUNT")]
    pub jobs: Option<NonZeroUsize>,
    /// How many seconds a job may take with a mutant, on top of ten times as long as without
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub time_limit: u64,
    /// The most memory of a process, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub memory: u64,
    /// The package of the program that runs the jobs
    #[arg(long, value_name = "PACKAGE", default_value = "etcdsim-mutants-runner")]
    pub runner: String,
    /// The profile of cargo to build with [default: release; with `--tests`, dev]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The journal [default: journal.jsonl in the folder where everything is written, with the shard in its name]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    pub what: What,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    #[command(flatten)]
    pub what: What,
    /// The journals
    #[arg(long = "journal", value_name = "FILE", required = true)]
    pub journals: Vec<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Output {
    /// The format of the report on stdout; the folder where everything is written gets both
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    pub format: Format,
}

/// The format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Markdown,
    /// For programs
    Json,
}

/// What counts as noticing a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// A run in which something is found; for the system under test
    Trace,
    /// A verdict that changes, in either direction; for code that judges
    Verdict,
}
