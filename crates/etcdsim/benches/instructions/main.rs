//! What a run costs in instructions, which unlike times are nearly the same on every machine and at every repetition:
//! `cargo bench -p etcdsim --bench instructions`.
//!
//! It runs the fixed plans of `scenarios/bench/plans` under callgrind and prints the instructions per virtual second,
//! message and operation, the memory of a run, and the layers that the instructions belong to. `-- chaos` measures one
//! plan, `-- PATH` another one, `-- --json` prints JSON. `docs/performance.md` keeps the results.
//!
//! It counts the instructions of a seed from its plan to its verdict, including the release of its memory. It does not
//! count those that start the process and read the plan.

mod callgrind;
mod layers;
mod measure;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use measure::{Measured, Run, Tools};

/// The repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The folder of the fixed plans, and their names.
const FOLDER: &str = "scenarios/bench/plans";
const PLANS: [&str; 3] = ["steady", "chaos", "swarm"];

/// Instructions of the fixed plans, by layer.
#[derive(Debug, Parser)]
struct Arguments {
    /// Names of fixed plans, or files of plans relative to the root of the repository; all fixed plans by default
    plans: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Run this plan and print its counts; the measured process is started with this option
    #[arg(long, hide = true)]
    run: Option<PathBuf>,
    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run {
        Some(file) => Run::of(file).map(|run| println!("{}", run.to_json())),
        None => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<(), String> {
    let plans = plans(&arguments.plans);
    let tools = Tools::find();
    if tools.valgrind.is_none() {
        eprintln!("instructions: skipped: valgrind is not installed");
    }
    let mut measured: Vec<Measured> = Vec::new();
    for (name, file) in plans {
        measured.push(tools.measure(&name, &file)?);
    }
    if arguments.json {
        println!("{}", report::json(&tools, &measured));
    } else if !measured.is_empty() {
        print!("{}", report::text(&tools, &measured));
    }
    Ok(())
}

/// Names and files of the plans that were asked for. `cargo bench -- WORD` passes the word to all benches, so a word that
/// names no plan is meant for another bench.
fn plans(asked: &[String]) -> Vec<(String, PathBuf)> {
    let fixed = |name: &str| Path::new(ROOT).join(FOLDER).join(name).with_extension("toml");
    if asked.is_empty() {
        return PLANS.iter().map(|name| (name.to_string(), fixed(name))).collect();
    }
    let plan = |asked: &String| {
        if PLANS.contains(&asked.as_str()) {
            return Some((asked.clone(), fixed(asked)));
        }
        let file = Path::new(ROOT).join(asked);
        let name = file.file_stem()?.to_string_lossy().into_owned();
        asked.ends_with(".toml").then_some((name, file))
    };
    asked.iter().filter_map(plan).collect()
}
