//! `etcdsim diff`: two runs of one plan side by side, up to the first event at which they diverge, and what differs
//! there.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use owo_colors::OwoColorize;
use verify::describe;

use super::one_run::simulator_failed;
use super::{Mistakes, values};
use crate::case::Case;
use crate::diff::{self, Parting, Trace};
use crate::error::Error;
use crate::execute::{HarnessFailure, run_plan_observed};
use crate::exit::Exit;
use crate::flaws;
use crate::show::numbers;
use crate::walk::Walk;

/// How many equal events are shown before the parting.
const BEFORE: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A saved plan, or a scenario together with `--seed`
    file: PathBuf,
    /// The seed of a scenario
    #[arg(long)]
    seed: Option<u64>,
    /// Switch a flaw on in the left run; with `--without-fault` or `--other-binary`, in both
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    flaw: Vec<::plan::FlawAt>,
    /// Switch a flaw on in the right run
    #[arg(long, value_name = "ID[@MEMBER]", value_parser = values::flaw)]
    against_flaw: Vec<::plan::FlawAt>,
    /// Leave this fault out of the right run: its id in the plan
    #[arg(long, value_name = "ID", conflicts_with = "against_flaw")]
    without_fault: Option<u32>,
    /// Run the plan on the right with the etcdsim of another build
    #[arg(long, value_name = "PATH", conflicts_with_all = ["against_flaw", "without_fault"])]
    other_binary: Option<PathBuf>,
    /// How many events of each side to show, from the first one that differs
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    events: usize,
}

/// Runs the command `diff`.
pub(super) fn diff(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let case = Case::load(&arguments.file)?;
    let both = arguments.without_fault.is_some() || arguments.other_binary.is_some();
    if !both && arguments.flaw.is_empty() && arguments.against_flaw.is_empty() {
        return Err(Error::NothingDiffers.into());
    }
    let left = case.clone().with_flaws(&arguments.flaw)?;
    let right = if both { left.clone() } else { case.clone().with_flaws(&arguments.against_flaw)? };
    let seed = case.seed(arguments.seed)?;
    let (left_plan, mut right_plan) = (left.plan(seed), right.plan(seed));
    if let Some(id) = arguments.without_fault {
        leave_out(&mut right_plan, id, &case.file)?;
    }
    let (one, members) = (run(&left_plan), left_plan.most_members());
    let other = match &arguments.other_binary {
        None => run(&right_plan),
        Some(binary) => Ok(run_elsewhere(binary, &right_plan, &case.file)?),
    };
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(HarnessFailure(said)), _) | (_, Err(HarnessFailure(said))) => {
            return Ok(simulator_failed(&said));
        }
    };
    let names = sides(arguments, &left, &right);
    let mut text = format!("left:  {}\nright: {}\n", names[0], names[1]);
    match diff::parting(&one, &other) {
        None => text.push_str("Both runs took the same steps.\n"),
        Some(parting) => {
            describe(&mut text, [&one, &other], &parting, arguments.events, members)
                .expect("a String takes everything");
        }
    }
    super::print(&text);
    Ok(Exit::Held)
}

/// What each side ran, in words.
fn sides(arguments: &Arguments, left: &Case, right: &Case) -> [String; 2] {
    let seed = arguments.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let name = |case: &Case| {
        let flaws: Vec<String> = case.flaws().iter().map(flaws::name).collect();
        let with = if flaws.is_empty() { String::new() } else { format!(", with {}", flaws.join(", ")) };
        format!("{}{seed}{with}", case.file)
    };
    let mut right = name(right);
    if let Some(id) = arguments.without_fault {
        right += &format!(", without fault {id}");
    }
    if let Some(binary) = &arguments.other_binary {
        right += &format!(", by {}", binary.display());
    }
    [name(left), right]
}

/// Removes a fault from a plan.
fn leave_out(plan: &mut ::plan::Plan, id: u32, file: &str) -> Result<(), Error> {
    let before = plan.faults.len();
    let known: Vec<String> = plan.faults.iter().map(|fault| fault.id.to_string()).collect();
    plan.faults.retain(|fault| fault.id != id);
    if plan.faults.len() == before {
        return Err(Error::NoSuchFault { file: file.to_string(), id, known: known.join(", ") });
    }
    Ok(())
}

/// The trace of a plan, run by this build.
fn run(plan: &::plan::Plan) -> Result<Trace, HarnessFailure> {
    let options = world::Options { keep_events: true };
    Ok(Trace::Events(run_plan_observed(plan, &mut (), options)?.record.events))
}

/// The trace of a plan, run by another build.
fn run_elsewhere(binary: &Path, plan: &::plan::Plan, file: &str) -> Result<Trace, Error> {
    let folder = Scratch::new()?;
    let plan_file = folder.path().join("plan.toml");
    fs::write(&plan_file, plan.to_toml())
        .map_err(|error| Error::Unwritable { path: plan_file.clone(), error })?;
    trace_of(binary, &plan_file, &folder.path().join("trace.txt"), file).map(|(trace, _)| trace)
}

/// Replays a plan with another build. Returns its trace, and the exit code.
pub(super) fn trace_of(binary: &Path, plan: &Path, trace: &Path, file: &str) -> Result<(Trace, i32), Error> {
    let failed =
        |why: String| Error::OtherBuild { binary: binary.to_path_buf(), file: file.to_string(), why };
    let mut command = Command::new(binary);
    command.arg("replay").arg(plan).arg("--trace-file").arg(trace).env("NO_COLOR", "1");
    let ended = command.output().map_err(|error| failed(error.to_string()))?;
    let code = ended.status.code().unwrap_or(-1);
    let ran = matches!(code, 0 | 1 | 3 | 5);
    let text = fs::read_to_string(trace).unwrap_or_default();
    if !ran || text.is_empty() {
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_string();
        return Err(failed(format!("it ended with {}\n{said}", ended.status)));
    }
    Ok((Trace::Lines(text.lines().map(str::to_string).collect()), code))
}

/// A folder for one command, which is removed at its end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    #[allow(
        clippy::disallowed_methods,
        reason = "it is no test, and the folder is removed when this is dropped"
    )]
    pub(super) fn new() -> Result<Scratch, Error> {
        let path = std::env::temp_dir().join(format!("etcdsim-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| Error::Unwritable { path: path.clone(), error })?;
        Ok(Scratch(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Leftovers in the folder for temporary files do no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where the traces diverge: the last equal events, the first different ones, the state of the members, and what
/// follows.
pub(super) fn describe(
    text: &mut String,
    [left, right]: [&Trace; 2],
    parting: &Parting,
    events: usize,
    members: u32,
) -> std::fmt::Result {
    let shared = parting.shared;
    writeln!(text, "The first {} are the same.", numbers::counted(shared, "event"))?;
    for nth in shared.saturating_sub(BEFORE)..shared {
        writeln!(text, "          {}", left.line(nth).unwrap_or_default().dimmed())?;
    }
    writeln!(text, "\n{}", "Then they part:".bold())?;
    let end = || "(the run is over)".into();
    writeln!(text, "   left   {}", left.line(shared).unwrap_or_else(end))?;
    writeln!(text, "   right  {}", right.line(shared).unwrap_or_else(end))?;
    for sentence in diff::sentences(left, right, parting) {
        writeln!(text, "   {sentence}")?;
    }
    if let Trace::Events(all) = left {
        let mut walk = Walk::new(all.clone(), &[], members);
        walk.go_to(shared);
        let time = describe::time(walk.time());
        writeln!(text, "\nThe members before that, in both runs (at {time}):\n{}", walk.states().table())?;
    }
    for (name, trace) in [("left", left), ("right", right)] {
        writeln!(text, "{} from there on:", name.bold())?;
        for line in (shared..).map_while(|nth| trace.line(nth)).take(events) {
            writeln!(text, "          {line}")?;
        }
    }
    Ok(())
}
