//! Measures a plan in separate processes: this program runs itself.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use etcdsim::stopwatch::Memory;
use etcdsim::{Plan, Simulation};
use serde::{Deserialize, Serialize};

use super::ROOT;
use super::callgrind::Profile;
use super::layers::{self, Layer, Spent};

/// The function whose instructions are counted, as a pattern for its symbol. Nothing else may match it: callgrind
/// switches at the beginning and the end of each function that does.
const COUNTED: &str = "*seed_from_plan_to_verdict*";

/// What a run did, the same at every repetition, and its memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub trace_hash: String,
    pub virtual_ns: u64,
    pub messages: u64,
    pub operations: u64,
    /// The memory the run took at its peak in addition to what the process had before; `None` if the system does not
    /// report it.
    pub peak_bytes: Option<u64>,
}

impl Run {
    /// Runs a plan in this process.
    pub fn of(file: &Path) -> Result<Run, String> {
        // A plan has its own seed and ignores the one given here.
        let simulation = Simulation::from_file(file).map_err(|error| error.to_string())?;
        let plan = simulation.expand(0);
        let memory = Memory::begin();
        let mut run = seed_from_plan_to_verdict(&plan)?;
        run.peak_bytes = memory.and_then(Memory::most);
        Ok(run)
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("JSON can be written")
    }
}

/// Runs a plan, judges it and drops everything. [`COUNTED`] is this function, so it has no closures of its own: their
/// symbols would contain its name.
#[inline(never)]
fn seed_from_plan_to_verdict(plan: &Plan) -> Result<Run, String> {
    let outcome = match etcdsim::run_plan(plan) {
        Ok(outcome) => outcome,
        Err(failure) => return Err(failure.to_string()),
    };
    if !outcome.verdict.holds() {
        return Err("the plan does not hold; what explaining that costs is not measured".to_string());
    }
    let stats = &outcome.record.stats;
    Ok(Run {
        trace_hash: outcome.record.trace_hash.to_string(),
        virtual_ns: stats.virtual_ns,
        messages: stats.messages,
        operations: stats.operations,
        peak_bytes: None,
    })
}

/// A plan and its measurements.
#[derive(Debug)]
pub struct Measured {
    pub plan: String,
    pub run: Run,
    /// `None` without valgrind.
    pub instructions: Option<Instructions>,
}

/// The instructions of a run.
#[derive(Debug)]
pub struct Instructions {
    pub total: u64,
    /// In the order of [`Layer::ALL`].
    pub layers: [Spent; Layer::ALL.len()],
}

/// The tools that measure, and the commit they measure, to be named with each result.
#[derive(Debug)]
pub struct Tools {
    /// The version of valgrind; `None` if it is not installed.
    pub valgrind: Option<String>,
    /// The version of the compiler.
    pub rustc: String,
    /// The commit, with `-dirty` if files differ from it.
    pub commit: String,
}

impl Tools {
    pub fn find() -> Tools {
        let unknown = || "unknown".to_string();
        let commit = ["-C", ROOT, "describe", "--always", "--dirty", "--exclude", "*"];
        let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
        Tools {
            valgrind: first_line("valgrind", &["--version"]),
            rustc: first_line(&rustc, &["--version"]).unwrap_or_else(unknown),
            commit: first_line("git", &commit).unwrap_or_else(unknown),
        }
    }

    /// Measures a plan: its memory in a plain process, then its instructions in one under callgrind.
    pub fn measure(&self, name: &str, file: &Path) -> Result<Measured, String> {
        let mut program = Command::new(this_program()?);
        // The allocator must return freed memory at once: otherwise the run could reuse what reading the plan took, and
        // that would not be counted.
        program.env("MALLOC_TRIM_THRESHOLD_", "0").env("MALLOC_TOP_PAD_", "0");
        program.env("MALLOC_MMAP_THRESHOLD_", "65536");
        let run = run(program, file)?;
        let instructions = match self.valgrind {
            Some(_) => Some(instructions(name, file, &run)?),
            None => None,
        };
        Ok(Measured { plan: name.to_string(), run, instructions })
    }
}

/// Counts the instructions of a plan, which must do the same under callgrind as it did without.
fn instructions(name: &str, file: &Path, expected: &Run) -> Result<Instructions, String> {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{name}"));
    eprintln!("instructions: {name} runs under callgrind; its profile will be {}", out.display());
    let mut valgrind = Command::new("valgrind");
    // Mangled symbols keep the instances of a generic function apart, which have different callers.
    valgrind.args(["--quiet", "--tool=callgrind", "--demangle=no"]);
    valgrind.arg(format!("--toggle-collect={COUNTED}"));
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(this_program()?);
    let run = run(valgrind, file)?;
    if run.trace_hash != expected.trace_hash {
        return Err(format!(
            "{name} took other steps under callgrind: something leaks into the run (rule R3)"
        ));
    }
    let text = std::fs::read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let profile = Profile::read(&text).map_err(|error| format!("{}: {error}", out.display()))?;
    if profile.total() == 0 {
        return Err(format!("callgrind found no function {COUNTED}; was the program stripped?"));
    }
    Ok(Instructions { total: profile.total(), layers: layers::spent(&profile) })
}

fn this_program() -> Result<PathBuf, String> {
    env::current_exe().map_err(|error| format!("this program has no path: {error}"))
}

/// Runs a plan in a process of its own.
fn run(mut program: Command, file: &Path) -> Result<Run, String> {
    let output = program.arg("--run").arg(file).output();
    let output = output.map_err(|error| format!("{}: {error}", program.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    serde_json::from_str(&text).map_err(|error| format!("{error} in: {text}"))
}

/// The first line a program prints; `None` if it fails or does not exist.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.lines().next()?.to_string())
}
