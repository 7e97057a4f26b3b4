//! Prints the report of `etcdsim run` for programs: one JSON object. `docs/ci.md` describes its fields.
//!
//! Everything except `wall_ns`, `check_ns` and `peak_rss_bytes` is the same on every computer, in every build and for
//! any number of jobs (rule R4 of ARCHITECTURE.md).

use std::collections::BTreeMap;

use record::probe::Counts;
use record::{MustCounts, Probe, TraceHash};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::flaws;
use crate::report::{CaseReport, End, Ended, Failure, Report, SeedRun};
use crate::show::human;
use crate::stopwatch::peak_rss_bytes;

/// The name and version of the format. The version changes when a field changes its meaning or is removed.
const SCHEMA: &str = "etcdsim.run/1";

/// The whole report.
#[derive(Serialize)]
struct Document<'a> {
    /// See [`SCHEMA`].
    schema: &'static str,
    /// The version of etcdsim.
    version: &'static str,
    exit_code: u8,
    /// Why the batch ended.
    ended: Ended,
    /// How many seeds ran.
    seeds: usize,
    /// How many seeds were to run.
    seeds_asked: usize,
    failures: usize,
    wall_ns: u64,
    peak_rss_bytes: u64,
    warnings: Vec<String>,
    scenarios: Vec<Scenario<'a>>,
}

/// The results of one scenario.
#[derive(Serialize)]
struct Scenario<'a> {
    scenario: &'a str,
    file: &'a str,
    title: &'a str,
    flaws: Vec<String>,
    seeds: usize,
    seeds_asked: usize,
    failures: usize,
    virtual_ns: u64,
    wall_ns: u64,
    /// How much of `wall_ns` the judges took.
    check_ns: u64,
    events: u64,
    messages: u64,
    operations: u64,
    answered: u64,
    elections: u64,
    disk_operations: u64,
    /// How often each kind of fault took effect.
    faults: BTreeMap<String, u64>,
    /// How often each probe was reached.
    probes: BTreeMap<&'static str, u64>,
    /// How often each way through an action of the specification was reached, by name, and each known breach. Those
    /// that were not are left out.
    specification: BTreeMap<String, u64>,
    /// How often oracle Z compared each count of what members keep with what was alive, by name.
    leaks: BTreeMap<String, u64>,
    /// How often or how long each must was judged, and for which premises it was skipped.
    musts: BTreeMap<String, MustCounts>,
    /// How often clients did something, such as opening a watcher, by name.
    work: BTreeMap<String, u64>,
    peak_rss_bytes: u64,
    trace_hashes: Hashes<'a>,
    failing: Vec<FailingRun<'a>>,
    /// The runs that could not be judged.
    trouble: Vec<RunWithoutVerdict>,
}

/// A JSON object from seed to trace hash, in the order of the seeds.
struct Hashes<'a>(&'a [SeedRun]);

impl Serialize for Hashes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for run in self.0 {
            map.serialize_entry(&run.seed.to_string(), &run.trace_hash)?;
        }
        map.end()
    }
}

/// A run that violated something.
#[derive(Serialize)]
struct FailingRun<'a> {
    seed: u64,
    trace_hash: TraceHash,
    /// The command that replays it.
    replay: String,
    #[serde(flatten)]
    failure: &'a Failure,
}

/// A run that could not be judged.
#[derive(Serialize)]
struct RunWithoutVerdict {
    seed: u64,
    kind: &'static str,
    text: String,
}

/// The report as one JSON object. `replay` gives the line that replays a run.
pub fn report(report: &Report, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) -> String {
    let document = Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        exit_code: report.exit().code(),
        ended: report.ended,
        seeds: report.done(),
        seeds_asked: report.asked(),
        failures: report.failures(),
        wall_ns: report.wall.as_nanos() as u64,
        peak_rss_bytes: peak_rss_bytes(),
        warnings: report.warnings(),
        scenarios: report.cases.iter().map(|case| scenario(case, replay)).collect(),
    };
    serde_json::to_string_pretty(&document).expect("a report has only string keys and no failing parts")
}

/// The results of one scenario.
fn scenario<'a>(case: &'a CaseReport, replay: &dyn Fn(&CaseReport, &SeedRun) -> String) -> Scenario<'a> {
    let total = case.total.clone();
    let failing = |(run, failure): (&'a SeedRun, &'a Failure)| FailingRun {
        seed: run.seed,
        trace_hash: run.trace_hash,
        replay: replay(case, run),
        failure,
    };
    Scenario {
        scenario: &case.case.name,
        file: &case.case.file,
        title: case.case.title(),
        flaws: case.case.flaws().iter().map(flaws::name).collect(),
        seeds: case.runs.len(),
        seeds_asked: case.asked,
        failures: case.failures().count(),
        virtual_ns: total.virtual_ns,
        wall_ns: case.wall().as_nanos() as u64,
        check_ns: case.check().as_nanos() as u64,
        events: total.events,
        messages: total.messages,
        operations: total.operations,
        answered: total.answered,
        elections: total.elections,
        disk_operations: total.disk_operations,
        faults: total.faults,
        probes: every(&total.probes),
        specification: total.specification,
        leaks: total.leaks,
        musts: total.musts,
        work: total.work,
        peak_rss_bytes: case.peak_rss_bytes,
        trace_hashes: Hashes(&case.runs),
        failing: case.failures().map(failing).collect(),
        trouble: case.runs.iter().filter_map(trouble).collect(),
    }
}

/// The counts of all probes, including required ones that were never reached.
fn every(counts: &Counts) -> BTreeMap<&'static str, u64> {
    let shown = |probe: &Probe| probe.required() || counts[*probe] > 0;
    Probe::all().filter(shown).map(|probe| (probe.name(), counts[probe])).collect()
}

/// What to report of a run that could not be judged; `None` for other runs.
fn trouble(run: &SeedRun) -> Option<RunWithoutVerdict> {
    let (kind, text) = match &run.end {
        End::Held | End::Violated(_) => return None,
        End::Undecided(sentences) => ("undecided", sentences.join(" ")),
        End::Diverged(divergence) => ("not-deterministic", human::divergence(divergence)),
        End::Collapsed(said) => ("harness-failed", said.clone()),
    };
    Some(RunWithoutVerdict { seed: run.seed, kind, text })
}
