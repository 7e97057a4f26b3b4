//! What `etcdsim check` makes of histories that do not say what the cluster applied, as those of a real system.
//!
//! Each run is exported as `etcdsim replay --history` does it, the applied entries are taken out, and the rest is
//! judged. A run in which all held must not be refused and must not be called wrong; a run in which an oracle of
//! clients, watchers, leases or locks found a flaw should still be found.
//!
//! The tests look at a few runs. `cargo test --release -p etcdsim-tests -- --ignored without_evidence --nocapture`
//! looks at all scenarios and flaws and prints the two tables of `docs/histories.md`; `ETCDSIM_SEEDS` sets the number of
//! seeds, `ETCDSIM_ONLY` names one scenario or flaw.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use etcdsim::verify::history_file::HistoryFile;
use etcdsim::{Case, Plan, history_of_run, run_plan};
use etcdsim_tests::{explained, scenarios};
use libtest_mimic::{Failed, Trial};
use member::Flaw;
use plan::FlawAt;

/// Scenarios of the quick sample, which every run of the tests looks at.
const SAMPLE: [&str; 8] = [
    "kubernetes",
    "jepsen-lock",
    "jepsen-watch",
    "lossy-duplicating-reordering",
    "etcd-put-delete-lease",
    "compaction-under-fire",
    "lease-leader-stalls",
    "users",
];
/// Seeds of each scenario and of each flaw in the tables.
const SEEDS: u64 = 5;
const FLAW_SEEDS: u64 = 20;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("without_evidence::sample", sample),
        Trial::test("without_evidence::exports_are_read", exports_are_read),
        Trial::test("without_evidence::clocks_are_in_the_file", clocks_are_in_the_file),
        Trial::test("without_evidence::scenarios", all_scenarios).with_ignored_flag(true),
        Trial::test("without_evidence::flaws", all_flaws).with_ignored_flag(true),
    ]
}

/// What became of one run without its evidence.
enum Judged {
    Held,
    /// The oracles that found something, and the first violation.
    Wrong(Vec<&'static str>, String),
    /// The reasons.
    Undecided(Vec<String>),
    Refused(String),
}

/// Judges a run with its evidence and without; the first is the list of oracles that found something.
fn judged(plan: &Plan) -> Result<(Vec<&'static str>, Judged), Failed> {
    let outcome = run_plan(plan).map_err(|failure| Failed::from(failure.to_string()))?;
    let ids = |verdict: &etcdsim::Verdict| {
        let mut ids: Vec<_> = verdict.violations.iter().map(|violation| violation.oracle.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let with = ids(&outcome.verdict);
    let mut file = history_of_run(plan, &outcome);
    let mut text = Vec::new();
    file.write(&mut text)?;
    if let Err(error) = HistoryFile::read_from("run.jsonl", &text[..]) {
        return Ok((with, Judged::Refused(format!("with evidence: {error}"))));
    }
    file.applied.clear();
    text.clear();
    file.write(&mut text)?;
    let read = match HistoryFile::read_from("run.jsonl", &text[..]) {
        Ok(read) => read,
        Err(error) => return Ok((with, Judged::Refused(error.to_string()))),
    };
    let (record, expectations) = read.into_record();
    let verdict = etcdsim::verify::judge(&record, &expectations);
    let without = ids(&verdict);
    Ok((
        with,
        match verdict.violations.first() {
            Some(first) => Judged::Wrong(without, format!("{}: {}", first.title, first.sentences.join(" "))),
            None if verdict.undecided.is_empty() => Judged::Held,
            None => Judged::Undecided(verdict.undecided),
        },
    ))
}

fn seeds(usual: u64) -> u64 {
    env::var("ETCDSIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn is_asked_for(name: &str) -> bool {
    env::var("ETCDSIM_ONLY").map_or(true, |only| only.split(',').any(|one| one == name))
}

/// The counts of one row of a table.
#[derive(Default)]
struct Row {
    held: usize,
    undecided: usize,
    found: usize,
    refused: usize,
}

fn sample() -> Result<(), Failed> {
    let files = scenarios("scenarios");
    for name in SAMPLE {
        let file = files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name));
        let file = file.ok_or_else(|| Failed::from(format!("there is no scenario {name}")))?;
        let case = Case::load(file).map_err(explained)?;
        match judged(&case.plan(0))? {
            (with, Judged::Held) if with.is_empty() => {}
            (with, Judged::Wrong(ids, text)) => {
                return Err(format!("{name}: {ids:?}, with evidence {with:?}. {text}").into());
            }
            (_, Judged::Undecided(reasons)) => return Err(format!("{name}: {reasons:?}").into()),
            (_, Judged::Refused(error)) => return Err(format!("{name}: {error}").into()),
            (with, Judged::Held) => return Err(format!("{name}: with evidence {with:?}").into()),
        }
    }
    Ok(())
}

/// What a member asks its leader for, such as a promotion, has a number that no client knows.
fn exports_are_read() -> Result<(), Failed> {
    let call = |member: u32, request: &str| {
        format!("[[client]]\nendpoints = [{member}]\noperations = ['6s call {request}']\n")
    };
    for request in [
        r#"MemberPromote {"ID":"1"}"#,
        r#"MemberPromote {"ID":"2"}"#,
        r#"MemberPromote {"ID":"9"}"#,
        r#"LeaseTimeToLive {"ID":"1"}"#,
    ] {
        let calls: String = (1..=3).map(|member| call(member, request)).collect();
        let text = format!("title = \"t\"\n[run]\nchaos = \"8s\"\n{calls}");
        export_is_read(&Case::parse("promote.toml", &text).map_err(explained)?)?;
    }
    let files = scenarios("scenarios");
    for name in ["learner-promotion", "learner-moves", "member-churn"] {
        let file = files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == name));
        let file = file.ok_or_else(|| Failed::from(format!("there is no scenario {name}")))?;
        export_is_read(&Case::load(file).map_err(explained)?)?;
    }
    Ok(())
}

fn export_is_read(case: &Case) -> Result<(), Failed> {
    let plan = case.plan(1);
    let outcome = run_plan(&plan).map_err(|failure| Failed::from(failure.to_string()))?;
    let mut text = Vec::new();
    history_of_run(&plan, &outcome).write(&mut text)?;
    HistoryFile::read_from("run.jsonl", &text[..]).map_err(|error| Failed::from(error.to_string()))?;
    Ok(())
}

/// A lease ends early by the clock of the file if the members' clocks are fast; the file says how fast.
fn clocks_are_in_the_file() -> Result<(), Failed> {
    for rate in ["50%", "100%", "150%", "200%"] {
        let text = format!(
            "title = \"t\"\n[cluster]\nmembers = 3\n[[client]]\ntimeout = \"5s\"\n\
             operations = [\"2s grant 5 ttl=10\", \"2s put a x lease=5\", \"12s get a\"]\n\
             [[fault]]\nkind = \"clock-rate\"\ntarget = \"all\"\nrate = \"{rate}\"\nat = \"1s\"\n\
             [run]\nchaos = \"15s\"\n"
        );
        let case = Case::parse("clock.toml", &text).map_err(explained)?;
        let plan = case.plan(1);
        let outcome = run_plan(&plan).map_err(|failure| Failed::from(failure.to_string()))?;
        let mut file = history_of_run(&plan, &outcome);
        for evidence in [true, false] {
            if !evidence {
                file.applied.clear();
            }
            let (record, expectations) = file.clone().into_record();
            let verdict = etcdsim::verify::judge(&record, &expectations);
            if !verdict.violations.is_empty() {
                return Err(format!("{rate}: {:#?}", verdict.violations).into());
            }
        }
        // A file that does not say it leaves early ends open.
        let mut old = history_of_run(&plan, &outcome);
        old.setup.clock_rates = None;
        let (record, expectations) = old.into_record();
        let verdict = etcdsim::verify::judge(&record, &expectations);
        let fast = matches!(rate, "150%" | "200%");
        if !verdict.violations.is_empty() || verdict.undecided.is_empty() == fast {
            return Err(format!("{rate}, without rates: {verdict:#?}").into());
        }
    }
    Ok(())
}

fn all_scenarios() -> Result<(), Failed> {
    let mut total = Row::default();
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut alarms = Vec::new();
    for file in scenarios("scenarios") {
        let case = Case::load(&file).map_err(explained)?;
        if !is_asked_for(&case.name) {
            continue;
        }
        let asked: Vec<u64> = (0..seeds(SEEDS)).collect();
        let mut row = Row::default();
        for seed in case.seeds(&asked).iter() {
            let name = format!("{} {seed}", case.name);
            match judged(&case.plan(*seed))? {
                (_, Judged::Held) => row.held += 1,
                (with, Judged::Wrong(ids, text)) => {
                    row.found += 1;
                    alarms.push(format!("{name}: {ids:?}, with evidence {with:?}. {text}"));
                }
                (_, Judged::Undecided(said)) => {
                    row.undecided += 1;
                    said.into_iter().for_each(|said| reasons.entry(said).or_default().push(name.clone()));
                }
                (_, Judged::Refused(error)) => {
                    row.refused += 1;
                    alarms.push(format!("{name}: refused. {error}"));
                }
            }
        }
        println!(
            "| `{}` | {} held | {} undecided | {} wrong | {} refused |",
            case.name, row.held, row.undecided, row.found, row.refused
        );
        total.held += row.held;
        total.undecided += row.undecided;
        total.found += row.found;
        total.refused += row.refused;
    }
    let runs = total.held + total.undecided + total.found + total.refused;
    println!(
        "{runs} runs: {} held, {} undecided, {} wrong, {} refused",
        total.held, total.undecided, total.found, total.refused
    );
    for (reason, names) in &reasons {
        println!("- {} ({}): {reason}", names.join(", "), names.len());
    }
    alarms.iter().for_each(|alarm| println!("! {alarm}"));
    let enough = total.held * 100 >= runs * 95;
    if alarms.is_empty() && enough { Ok(()) } else { Err("see above".into()) }
}

/// Whether an oracle judges what clients saw: K1 to K4, W1 to W12, L1 to L3, M1 and M2. L4 watches the lessor.
fn is_of_clients(id: &str) -> bool {
    id.starts_with(['K', 'W', 'L', 'M']) && id != "L4"
}

fn all_flaws() -> Result<(), Failed> {
    let mut runs = Vec::new();
    for flaw in Flaw::ALL {
        if !flaw.oracles().iter().any(|id| is_of_clients(id))
            || !(is_asked_for(flaw.id()) || is_asked_for(flaw.scenario()))
        {
            continue;
        }
        runs.push(of_flaw(*flaw)?);
    }
    let (failing, found) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    println!("{failing} failing runs, {found} found");
    if found * 100 >= failing * 90 { Ok(()) } else { Err("see above".into()) }
}

/// How many runs failed by an oracle of clients, and how many of these are found without evidence.
fn of_flaw(flaw: Flaw) -> Result<(usize, usize), Failed> {
    let file: PathBuf = Path::new("scenarios").join(format!("{}.toml", flaw.scenario()));
    drop(scenarios("scenarios"));
    let case = Case::load(&file).map_err(explained)?;
    let switched = FlawAt { flaw: flaw.id().to_string(), member: None };
    let case = case.with_flaws(&[switched]).map_err(explained)?;
    let (mut failing, mut found, mut missed) = (0, 0, Vec::new());
    for seed in 0..seeds(FLAW_SEEDS) {
        let (with, without) = judged(&case.plan(seed))?;
        let with: Vec<_> = with.into_iter().filter(|id| is_of_clients(id)).collect();
        if with.is_empty() {
            if let Judged::Wrong(ids, text) = without {
                println!("! {flaw} {seed}: only without evidence {ids:?} {text}");
            }
            continue;
        }
        failing += 1;
        match without {
            Judged::Wrong(..) => found += 1,
            Judged::Held => missed.push(format!("  - {seed}: {with:?} is held")),
            Judged::Undecided(said) => {
                missed.push(format!("  - {seed}: {with:?} is undecided. {}", said.join(" ")))
            }
            Judged::Refused(error) => missed.push(format!("  - {seed}: {with:?} is refused. {error}")),
        }
    }
    println!("| {} | `{}` | {failing} | {found} |", flaw.id(), flaw.scenario());
    missed.iter().for_each(|line| println!("{line}"));
    Ok((failing, found))
}
