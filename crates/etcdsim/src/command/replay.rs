//! `etcdsim replay`: runs one seed of a scenario, or a saved plan, again. It can also print every event and the log,
//! and write the history. For a saved plan it checks that the failure is the same as before, or, once that is mended, that
//! the plan still gets to where the failure was.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use owo_colors::OwoColorize;
use record::{Etcd, Event, MemberId, Nanos, Observer, Step, TraceHash};
use verify::describe;

use super::one_run::{OneRun, simulator_failed};
use super::values::Moment;
use super::{Mistakes, log, step, values};
use crate::additions::OwnOracles;
use crate::case::Case;
use crate::error::Error;
use crate::execute::{HarnessFailure, Outcome, run_plan_with};
use crate::exit::Exit;
use crate::explain;
use crate::history::history_of_run;
use crate::landmarks::Landmarks;
use crate::report::{Failure, idle_warning};
use crate::saved::{self, SavedResult};
use crate::show::{human, musts, numbers};
use crate::trace_out::{TraceFormat, TraceOut};
use crate::walk::Walk;
use crate::{page, replay_line};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: OneRun,
    /// Switch off the oracles that watch every step of every member: S (docs/specification.md) and B1 to B8
    /// (docs/musts.md)
    #[arg(long)]
    no_specification: bool,
    /// Print every event: virtual time, member, what happened
    #[arg(long)]
    trace: bool,
    /// Write every event to this file
    #[arg(long, value_name = "FILE")]
    trace_file: Option<PathBuf>,
    /// Write the run for a viewer to this file (docs/traces.md)
    #[arg(long, value_name = "FILE")]
    trace_out: Option<PathBuf>,
    /// The format of `--trace-out`; without it, the end of the file's name decides: `json`, `shiviz` or `ndjson`
    #[arg(long, value_enum, value_name = "FORMAT", requires = "trace_out")]
    trace_format: Option<TraceFormat>,
    /// Stop at this virtual time, or at the first `violation`: print the state of every member there, and trace no
    /// further
    #[arg(long, value_name = "TIME|violation", value_parser = values::moment)]
    until: Option<Moment>,
    /// Walk the run in the terminal, forwards and back, with the state of every member; begins at `--until`
    #[arg(long)]
    step: bool,
    /// Write the log to stderr; the filter is as in RUST_LOG, such as `debug` or `raft=debug`
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "info")]
    log: Option<String>,
    /// Show at the end how long each must was judged (docs/musts.md)
    #[arg(long)]
    counts: bool,
    /// Write what the run reaches into the head of the saved plan; later replays compare with it (docs/why.md)
    #[arg(long)]
    write_reached: bool,
    /// Write what the clients saw to this file, for `etcdsim check`
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Write a page that shows the run to this file: HTML, for a browser (docs/page.md)
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// Runs the command `replay`.
pub(super) fn replay(arguments: &Arguments) -> Result<Exit, Mistakes> {
    let (case, seed) = arguments.run.load()?;
    if arguments.step {
        step::needs_terminal()?;
    }
    if let Some(filter) = &arguments.log {
        log::begin(filter).map_err(|why| Error::BadLogFilter { filter: filter.clone(), why })?;
    }
    let plan = case.plan(seed);
    let last = last_moment(arguments, &plan);
    let mut tracer = Tracer::open(arguments, &plan, last)?;
    let oracles = OwnOracles::none(arguments.no_specification);
    let options = world::Options {
        keep_events: arguments.page.is_some() || arguments.until.is_some() || arguments.step,
    };
    let mut outcome = match run_plan_with(&plan, &mut tracer, oracles, options) {
        Ok(outcome) => outcome,
        Err(HarnessFailure(said)) => {
            tracer.end(None)?;
            return Ok(simulator_failed(&said));
        }
    };
    tracer.end(Some(&outcome))?;
    if let Some(file) = &arguments.history {
        write_history(file, &plan, &outcome)
            .map_err(|error| Error::Unwritable { path: file.clone(), error })?;
    }
    let mut failure = Failure::of(&outcome.verdict, &outcome.record.history);
    if let Some(failure) = &mut failure {
        let line = replay_line::of_seed(&replay_line::launcher(), &case, seed);
        explain::explain(&plan, failure, Some(&line));
    }
    if let Some(file) = &arguments.page {
        let line = replay_line::of_seed(&replay_line::launcher(), &case, seed);
        let undecided = &outcome.verdict.undecided;
        let page = page::of_run(&plan, &case.file, &line, &outcome.record, failure.as_ref(), undecided);
        fs::write(file, page).map_err(|error| Error::Unwritable { path: file.clone(), error })?;
    }
    let stats = &outcome.record.stats;
    let mut text = format!(
        "{}, seed {seed}: {}, {} answered, {} of virtual time, {}\ntrace hash {}\n",
        case.file,
        numbers::counted(stats.operations as usize, "operation"),
        numbers::count(stats.answered),
        numbers::span(std::time::Duration::from_nanos(stats.virtual_ns)),
        numbers::counted(stats.faults.values().sum::<u64>() as usize, "fault"),
        outcome.record.trace_hash,
    );
    let recorded = case.saved();
    if let Some(recorded) = recorded {
        text.push_str(if recorded.trace_hash == outcome.record.trace_hash {
            "same trace hash as recorded\n"
        } else {
            "the trace hash differs from the recorded one: this build takes different steps than the one that saved the plan\n"
        });
    }
    match &failure {
        Some(failure) => {
            text.push('\n');
            human::failure(&mut text, failure).expect("a String takes everything");
        }
        None if outcome.verdict.undecided.is_empty() => text.push_str("All oracles held.\n"),
        None => text.push_str(&format!("Not decided: {}\n", outcome.verdict.undecided.join(" "))),
    }
    if arguments.counts {
        text.push_str(&musts::table(&stats.musts));
    }
    if let Some(why) = plan.why_idle() {
        text.push_str(&format!("{}: {}.\n", "warning".yellow(), idle_warning(&case.file, why)));
    }
    let landmarks = Landmarks::of(&outcome.record, &outcome.starts);
    if arguments.until.is_some() || arguments.step {
        let events = std::mem::take(&mut outcome.record.events);
        let mut walk = Walk::new(events, &outcome.verdict.violations, plan.most_members());
        match last {
            Some(last) => walk.go_to_time(last),
            None if arguments.step => {}
            None => walk.go_to(walk.events().len()),
        }
        if arguments.step {
            step::step(walk, format!("{}, seed {seed}", case.file))?;
        } else {
            stopped(&mut text, &walk, arguments.until);
        }
    }
    let end = End { failure: failure.as_ref(), undecided: &outcome.verdict.undecided, landmarks: &landmarks };
    let exit = if arguments.write_reached {
        write_reached(&case, outcome.record.trace_hash, &end)?;
        text.push_str("Its head now lists what it reached.\n");
        end.exit()
    } else {
        exit(recorded, &end, &mut text)
    };
    super::print(&text);
    Ok(exit)
}

/// The last moment that the user wants to see, in virtual time; `None` for the end. To stop at the first violation, the
/// plan is run once in advance: the time of the violation is known only afterwards.
fn last_moment(arguments: &Arguments, plan: &::plan::Plan) -> Option<Nanos> {
    match arguments.until? {
        Moment::At(time) => Some(time.as_nanos() as Nanos),
        Moment::Violation => {
            let oracles = OwnOracles::none(arguments.no_specification);
            let outcome = run_plan_with(plan, &mut (), oracles, world::Options::default()).ok()?;
            outcome.verdict.violations.iter().map(|violation| violation.time).min()
        }
    }
}

/// Where the run was stopped, and the state of every member there.
fn stopped(text: &mut String, walk: &Walk, until: Option<Moment>) {
    let at = match (until, walk.position() == walk.events().len()) {
        (Some(Moment::Violation), true) => "There was no violation to stop at. At the end".to_string(),
        (_, true) => "At the end".to_string(),
        (_, false) => format!(
            "Stopped at {} s, after {}",
            describe::moment(walk.time()),
            numbers::counted(walk.position(), "event")
        ),
    };
    text.push_str(&format!("\n{}\n{}", format!("{at}:").bold(), walk.states().table()));
    if let Some(event) = walk.last() {
        text.push_str(&format!("The last event: {}\n", describe::event(event).trim_start()));
    }
}

/// Writes what the clients saw, and the entries that the members applied.
fn write_history(file: &Path, plan: &::plan::Plan, outcome: &Outcome) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    history_of_run(plan, outcome).write(&mut out)?;
    out.flush()
}

/// How a run ended.
struct End<'a> {
    failure: Option<&'a Failure>,
    undecided: &'a [String],
    landmarks: &'a Landmarks,
}

impl End<'_> {
    /// The exit code of a run without a recorded result to compare with.
    fn exit(&self) -> Exit {
        match self.failure {
            Some(_) => Exit::Violation,
            None if self.undecided.is_empty() => Exit::Held,
            None => Exit::Harness, // nothing was violated, but something was not decided
        }
    }
}

/// Writes what a run reached into the head of its plan.
fn write_reached(case: &Case, trace_hash: TraceHash, end: &End<'_>) -> Result<(), Error> {
    let path = PathBuf::from(&case.file);
    if !case.is_plan() || !case.flaws().is_empty() {
        return Err(Error::NoPlanToWrite { file: case.file.clone() });
    }
    let text = fs::read_to_string(&path).map_err(|error| Error::Unreadable { path: path.clone(), error })?;
    let mended = end.exit() == Exit::Held;
    let text = saved::with_landmarks(&text, trace_hash, end.landmarks, mended);
    fs::write(&path, text).map_err(|error| Error::Unwritable { path, error })
}

/// The exit code. If the run of a saved plan did not end as it should, or reached less than before, adds a sentence that
/// says so to `text`.
fn exit(recorded: Option<&SavedResult>, end: &End<'_>, text: &mut String) -> Exit {
    let Some(recorded) = recorded else { return end.exit() };
    let missing = recorded.missing(end.landmarks);
    let is_recorded = recorded.landmarks.is_some();
    let seen = end.failure.map(|failure| failure.worst().oracle.id());
    match (recorded.oracles.first(), seen) {
        (_, None) if recorded.mended && missing.is_empty() => {
            if is_recorded {
                text.push_str("It still reaches what it reached when it failed.\n");
            }
            return end.exit();
        }
        (_, None) if recorded.mended => {}
        (_, Some(_)) if recorded.mended => {
            text.push_str("Its failure was mended, and now it fails again.\n");
            return Exit::Violation;
        }
        (Some(expected), Some(seen)) if expected == seen => return Exit::Violation,
        (Some(expected), seen) => {
            let now = seen.map_or("now nothing is violated".to_string(), |seen| format!("now {seen} is"));
            text.push_str(&format!(
                "The failure did not reproduce: {expected} was violated when the plan was saved, {now}.\n"
            ));
            if is_recorded && missing.is_empty() {
                text.push_str(
                    "It still reaches what the failing run reached, so its failure may be mended.\n",
                );
            }
        }
        (None, _) => return end.exit(),
    }
    if !missing.is_empty() {
        text.push_str(&format!(
            "STRAYED: it no longer reaches {}. So it may hold only because it does not get to where the failure was; `etcdsim aim` mends the plan.\n",
            missing.join(", ")
        ));
    }
    Exit::NotReproduced
}

/// Writes every event as one line, to stdout, a file or both, and the run for a viewer.
struct Tracer {
    outs: Vec<Box<dyn Write>>,
    viewer: Option<TraceOut>,
    /// Nothing later is written.
    last: Nanos,
}

impl Tracer {
    /// Opens the outputs that were asked for.
    fn open(arguments: &Arguments, plan: &::plan::Plan, last: Option<Nanos>) -> Result<Tracer, Error> {
        let mut outs: Vec<Box<dyn Write>> = Vec::new();
        if arguments.trace {
            outs.push(Box::new(BufWriter::new(io::stdout())));
        }
        if let Some(path) = &arguments.trace_file {
            let file = File::create(path).map_err(|error| Error::Unwritable { path: path.clone(), error })?;
            outs.push(Box::new(BufWriter::new(file)));
        }
        let viewer = arguments.trace_out.as_ref();
        let viewer = viewer.map(|path| TraceOut::open(path, arguments.trace_format, plan)).transpose()?;
        Ok(Tracer { outs, viewer, last: last.unwrap_or(Nanos::MAX) })
    }

    /// Writes what is left. The outcome is `None` if the simulator failed.
    fn end(mut self, outcome: Option<&Outcome>) -> Result<(), Error> {
        for out in &mut self.outs {
            if let Err(error) = out.flush()
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                eprintln!("the trace is incomplete: {error}");
            }
        }
        self.viewer.map_or(Ok(()), |viewer| viewer.end(outcome))
    }
}

impl Observer<Etcd> for Tracer {
    fn event(&mut self, event: &Event) {
        if event.time > self.last {
            return;
        }
        if let Some(viewer) = &mut self.viewer {
            viewer.event(event);
        }
        if self.outs.is_empty() {
            return;
        }
        let line = describe::event(event);
        // After an error the output gets no more lines.
        self.outs.retain_mut(|out| writeln!(out, "{line}").is_ok());
    }

    fn wants_steps(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.wants_steps())
    }

    fn step(&mut self, time: Nanos, member: MemberId, step: &Step) {
        if let Some(viewer) = self.viewer.as_mut().filter(|_| time <= self.last) {
            viewer.step(time, member, step);
        }
    }
}
