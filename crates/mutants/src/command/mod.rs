//! The command line. Results go to stdout, progress and mistakes of the user to stderr.

mod arguments;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use etcdsim_mutants_switch::MOST;

use arguments::{Arguments, By, Command, Format, ListArguments, Output, ReportArguments, RunArguments, What};

use crate::cargo::{Package, Workspace};
use crate::compile::{Built, Compilation, Program, compile, fingerprint};
use crate::error::Error;
use crate::harness::Harness;
use crate::journal::{self, Header, Journal, Writer};
use crate::list::{self, List};
use crate::mutant::{Mutant, Name};
use crate::progress::Progress;
use crate::report::Report;
use crate::select::{Sample, Shard, select};
use crate::sources::{Source, sources};
use crate::trial::{Compare, Fate, Original, Outcome, Trials};

/// Reads the command line, runs the command and returns the exit code.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::List(arguments) => list_mutants(&arguments),
        Command::Report(arguments) => report(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// A package, its mutants and its list.
struct Subject {
    workspace: Workspace,
    package: Package,
    sources: Vec<Source>,
    list: List,
    only: Vec<String>,
    work: PathBuf,
}

impl Subject {
    fn read(what: &What) -> Result<Subject, Error> {
        let workspace = Workspace::read(&what.workspace, true)?;
        let package = workspace.package(&what.package)?.clone();
        let sources = sources(&package)?;
        let usual = workspace.root.join(format!("crates/mutants/lists/{}.toml", package.name));
        let list = match &what.list {
            Some(path) => List::read(path, &package.name)?,
            None if usual.exists() => List::read(&usual, &package.name)?,
            None => List::default(),
        };
        let only = if what.only.is_empty() { list.files.clone() } else { what.only.clone() };
        let work = match &what.work_dir {
            Some(work) => work.clone(),
            None => workspace.target.join("mutants").join(&package.name),
        };
        fs::create_dir_all(&work).map_err(Error::file("make", &work))?;
        let work = fs::canonicalize(&work).map_err(Error::file("read", &work))?;
        let subject = Subject { workspace, package, sources, list, only, work };
        if subject.mutants().next().is_none() {
            let files = subject.only.join(", ");
            let files = if files.is_empty() { "it".to_string() } else { files };
            return Err(Error::NoMutants { package: subject.package.name, files });
        }
        Ok(subject)
    }

    /// The mutants of the files that were asked for.
    fn mutants(&self) -> impl Iterator<Item = &Mutant> {
        let chosen = self.sources.iter().filter(|source| source.is_among(&self.only));
        chosen.flat_map(|source| &source.sites).map(|site| &site.mutant)
    }

    /// Writes the report, and prints it.
    fn report(&self, headers: &[Header], outcomes: Vec<Outcome>, output: &Output) -> Result<(), Error> {
        let texts: BTreeMap<&str, Vec<&str>> = (self.sources.iter())
            .map(|source| (source.file.as_str(), source.text.lines().collect()))
            .collect();
        let code = |outcome: &Outcome| {
            let lines = texts.get(outcome.mutant.name.file.as_str());
            let line = lines.and_then(|lines| lines.get(outcome.mutant.line - 1));
            line.map_or("", |line| line.trim()).to_string()
        };
        let all = self.sources.iter().flat_map(|source| &source.sites).map(|site| &site.mutant.name);
        let report = Report::new(headers, outcomes, &self.list, all, code);
        let lived: Vec<&Name> =
            report.survivors.iter().map(|survivor| &survivor.outcome.mutant.name).collect();
        let files = [
            ("report.md", report.markdown()),
            ("report.json", report.json()),
            ("survivors.toml", list::draft(&self.package.name, lived)),
        ];
        for (name, text) in &files {
            let path = self.work.join(name);
            fs::write(&path, text).map_err(Error::file("write", &path))?;
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        eprintln!("wrote {} in {}", names.join(", "), self.work.display());
        print(&files[usize::from(output.format == Format::Json)].1);
        Ok(())
    }
}

/// Runs `run`.
fn run(arguments: &RunArguments) -> Result<(), Error> {
    let subject = Subject::read(&arguments.what)?;
    let found = subject.mutants().count();
    // Numbers run over all files.
    let highest = subject.mutants().map(|mutant| mutant.number).max().unwrap_or(0);
    if highest > MOST {
        let package = subject.package.name.clone();
        return Err(Error::TooMany { package, found: highest as usize, most: MOST });
    }
    // Said before anything is built, which takes minutes.
    let shard = arguments.shard.map(|Shard { nth, of }| format!("-{nth}-of-{of}")).unwrap_or_default();
    let path = arguments.journal.clone();
    let path = path.unwrap_or_else(|| subject.work.join(format!("journal{shard}.jsonl")));
    let before = journal::before(&path, arguments.resume)?;
    let program = match arguments.tests {
        true => Program::Tests,
        false => Program::Runner(arguments.runner.clone()),
    };
    let usual = if arguments.tests { "dev" } else { "release" };
    let compilation = Compilation {
        workspace: &subject.workspace,
        package: &subject.package,
        sources: &subject.sources,
        only: &subject.only,
        program: &program,
        profile: arguments.profile.as_deref().unwrap_or(usual),
        work: &subject.work,
    };
    let built = compile(&compilation, &mut |line| eprintln!("{line}"))?;
    let harness = harness(arguments, &subject, &built)?;

    let sample = arguments.sample.map(|count| Sample { count: count.get(), seed: arguments.sample_seed });
    let compiled: Vec<&Mutant> =
        subject.mutants().filter(|mutant| !built.left_out.contains(&mutant.number)).collect();
    let left_out = found - compiled.len();
    let selected = select(compiled, sample, arguments.shard);
    let header = Header {
        schema: journal::SCHEMA.to_string(),
        package: subject.package.name.clone(),
        version: subject.package.version.clone(),
        program: program_fingerprint(&built)?,
        jobs: harness.names().to_vec(),
        compare: compare(arguments),
        only: subject.only.clone(),
        found,
        left_out,
        sample,
        shard: arguments.shard,
        planned: selected.len(),
    };
    let (mut journal, mut outcomes) = Writer::open(&path, &header, before)?;

    // Two processes of one test may write into the same folder.
    let cores =
        || if arguments.tests { 1 } else { thread::available_parallelism().map_or(1, NonZeroUsize::get) };
    let trials = Trials {
        harness: &harness,
        threads: arguments.jobs.map_or_else(cores, NonZeroUsize::get),
        time_limit: Duration::from_secs(arguments.time_limit),
        compare: compare(arguments),
    };
    let tried: BTreeSet<u32> = outcomes.iter().map(|outcome| outcome.mutant.number).collect();
    let rest: Vec<&Mutant> = selected.into_iter().filter(|mutant| !tried.contains(&mutant.number)).collect();
    if !rest.is_empty() {
        let mut progress = Progress::start("jobs without a mutant", harness.names().len(), 0);
        let mut warnings = Vec::new();
        let originals =
            trials.originals(&mut |text| warnings.push(text), &mut || progress.add(String::new()))?;
        progress.end();
        if !originals.iter().any(Original::reaches_some) {
            warnings.push("no job reaches any of these mutants: nothing can be said of them".to_string());
        }
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));

        let mut progress = Progress::start("mutants", header.planned, outcomes.len());
        trials.mutants(&originals, &rest, &mut |outcome| {
            journal.add(&outcome)?;
            outcomes.push(outcome);
            progress.add(so_far(&outcomes));
            Ok(())
        })?;
        progress.end();
    }
    subject.report(&[header], outcomes, &arguments.output)
}

/// What runs the jobs of `run`.
fn harness(arguments: &RunArguments, subject: &Subject, built: &Built) -> Result<Harness, Error> {
    let programs = &built.programs;
    if arguments.tests {
        // Tests may expect to be in the folder of their package.
        let records = subject.work.join("records");
        return Harness::tests(programs, built.mirror.package.clone(), &records, arguments.memory);
    }
    let [runner] = &programs[..] else {
        let count = programs.len();
        let package = &arguments.runner;
        return Err(Error::Runner(format!(
            "the runner's package {package} must have one program, not {count}"
        )));
    };
    let swarm = vec![PathBuf::from("scenarios/swarm.toml")];
    let scenarios = if arguments.scenario.is_empty() { &swarm } else { &arguments.scenario };
    let mut words =
        vec![format!("--seeds={}", arguments.seeds), format!("--flaw-seeds={}", arguments.flaw_seeds)];
    words.extend(scenarios.iter().map(|scenario| scenario.to_string_lossy().into_owned()));
    Harness::runner(runner.clone(), words, subject.workspace.root.clone(), arguments.memory)
}

/// How `run` compares a mutant with the original.
fn compare(arguments: &RunArguments) -> Compare {
    match arguments.compare {
        _ if arguments.tests => Compare::Verdict,
        By::Trace => Compare::Trace,
        By::Verdict => Compare::Verdict,
    }
}

/// A number that differs for different programs.
fn program_fingerprint(built: &Built) -> Result<u64, Error> {
    let read = |path: &PathBuf| fs::read(path).map_err(Error::file("read", path));
    Ok(fingerprint(built.programs.iter().map(read).collect::<Result<Vec<_>, _>>()?))
}

/// What became of all mutants so far, in a few words.
fn so_far(outcomes: &[Outcome]) -> String {
    let count = |is: &dyn Fn(Fate) -> bool| outcomes.iter().filter(|outcome| is(outcome.fate)).count();
    let caught = count(&Fate::is_caught);
    let lived = count(&|fate| fate == Fate::Lived);
    let none = count(&|fate| matches!(fate, Fate::NotReached | Fate::NoDifference));
    format!("{caught} caught, {lived} lived, {none} made no difference")
}

/// Runs `list`.
fn list_mutants(arguments: &ListArguments) -> Result<(), Error> {
    let subject = Subject::read(&arguments.what)?;
    let line = |mutant: &Mutant| {
        let Mutant { number, name, line, kind } = mutant;
        format!("{number}\t{}:{line}\t{}\t{}\t{}\n", name.file, name.function, kind.name(), name.change)
    };
    print(&subject.mutants().map(line).collect::<String>());
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    subject.mutants().for_each(|mutant| *kinds.entry(mutant.kind.name()).or_default() += 1);
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    eprintln!("{} mutants ({}); some may not compile", subject.mutants().count(), kinds.join(", "));
    Ok(())
}

/// Runs `report`.
fn report(arguments: &ReportArguments) -> Result<(), Error> {
    let subject = Subject::read(&arguments.what)?;
    let (mut headers, mut outcomes) = (Vec::<Header>::new(), Vec::new());
    for path in &arguments.journals {
        let Journal { header, outcomes: more } = Journal::read(path)?;
        if let Some(why) = headers.first().and_then(|first| do_not_fit(first, &header)) {
            return Err(Error::Format { path: path.clone(), why });
        }
        belongs(&subject, &header, path)?;
        headers.push(header);
        outcomes.extend(more);
    }
    subject.report(&headers, outcomes, &arguments.output)
}

/// Why two journals are not parts of one run.
fn do_not_fit(first: &Header, other: &Header) -> Option<String> {
    let same = Header { shard: other.shard, planned: other.planned, ..first.clone() };
    // Two machines may build different programs from the same sources.
    let same = Header { program: other.program, ..same };
    (same != *other)
        .then(|| "it belongs to another run, not to another shard of the first journal's run".to_string())
}

/// Checks that a journal is one of the package.
fn belongs(subject: &Subject, header: &Header, path: &Path) -> Result<(), Error> {
    let Package { name, version, .. } = &subject.package;
    if (&header.package, &header.version) == (name, version) {
        return Ok(());
    }
    let why = format!("it belongs to {} {}, not to {name} {version}", header.package, header.version);
    Err(Error::Format { path: path.to_path_buf(), why })
}

/// Writes a result to stdout. If its reader, such as `head`, has closed the pipe, that is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_valid() {
        Arguments::command().debug_assert();
    }
}
