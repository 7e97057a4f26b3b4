//! `etcdsim check --bench`: measures the time and memory of the engines on generated histories of many sizes. A *cell*
//! is one combination of size, clients, keys and unknown outcomes; the *grid* is all of them.
//!
//! Times are medians of the check alone, in this process. Memory is measured in a separate process: the peak of
//! resident memory during the check, minus what was resident before it.

use std::process::Command;
use std::time::Duration;

use clap::{Args, value_parser};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use linear::generate::{self as registers, INITIAL};
use linear::models::keyed::Keyed;
use linear::models::register::Register;
use linear::{Budget, Verdict, check as linear_check};
use revision::generate as revisions;
use serde::{Deserialize, Serialize};

use super::any::{AnyHistory, AnyModel};
use super::{Engine, Model, containers};
use crate::exit::Exit;
use crate::show::numbers;
use crate::stopwatch::{Memory, Stopwatch};

/// Which histories to generate. An option that is left out has all values of the grid in `docs/checker.md`.
#[derive(Clone, Debug, Args)]
pub(super) struct Grid {
    /// With --bench: how many concurrent clients; may be repeated
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..), requires = "bench", conflicts_with = "histories")]
    clients: Vec<u32>,
    /// With --bench: how many keys; may be repeated
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..), requires = "bench", conflicts_with = "histories")]
    keys: Vec<u32>,
    /// With --bench: how many operations; may be repeated
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..), requires = "bench", conflicts_with = "histories")]
    operations: Vec<u32>,
    /// With --bench: how many writes in a thousand lose their answer; may be repeated
    #[arg(long, value_name = "PER MILLE", value_parser = value_parser!(u32).range(..=1000), requires = "bench", conflicts_with = "histories")]
    unknown: Vec<u32>,
    /// With --bench: how often to repeat each check for its median
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u32).range(1..), default_value_t = 5, requires = "bench", conflicts_with = "histories")]
    samples: u32,
    /// One cell, as JSON: prints how many bytes its check takes. The bench itself uses this
    #[arg(long, value_name = "CELL", hide = true)]
    bench_memory: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BenchKind {
    Revision,
    General,
    Queue,
    Stack,
    PriorityQueue,
    Bag,
    Set,
}

impl BenchKind {
    const ALL: [BenchKind; 7] = [
        BenchKind::Revision,
        BenchKind::General,
        BenchKind::Queue,
        BenchKind::Stack,
        BenchKind::PriorityQueue,
        BenchKind::Bag,
        BenchKind::Set,
    ];

    const fn name(self) -> &'static str {
        match self {
            BenchKind::Revision => "revision",
            BenchKind::General => "general",
            BenchKind::Queue => "queue",
            BenchKind::Stack => "stack",
            BenchKind::PriorityQueue => "priority-queue",
            BenchKind::Bag => "bag",
            BenchKind::Set => "set",
        }
    }

    /// The kind that measures a model, if the model is a container.
    const fn container(model: Model) -> Option<BenchKind> {
        match model {
            Model::Queue => Some(BenchKind::Queue),
            Model::Stack => Some(BenchKind::Stack),
            Model::PriorityQueue => Some(BenchKind::PriorityQueue),
            Model::Bag => Some(BenchKind::Bag),
            Model::Set => Some(BenchKind::Set),
            _ => None,
        }
    }
}

/// A kind of history and the engine that judges it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Cell {
    engine: BenchKind,
    clients: u32,
    keys: u32,
    operations: u32,
    unknown_per_mille: u32,
    stale: bool,
}

impl Cell {
    /// A name for the histories of the cell, for the table.
    const fn kind(&self) -> &'static str {
        match (self.stale, self.engine) {
            (false, _) => "good",
            (true, BenchKind::Revision | BenchKind::General) => "one stale read",
            (true, _) => "answers swapped",
        }
    }
}

/// The measurements of a cell.
#[derive(Clone, Copy, Debug, Serialize)]
struct Measurement {
    #[serde(flatten)]
    cell: Cell,
    /// Whether the engine reached a verdict within its default limits.
    decided: bool,
    /// The time until the verdict, or until the engine gave up, in nanoseconds.
    verdict_ns: u64,
    /// The time until the verdict with its explanation, in nanoseconds.
    explained_ns: u64,
    /// The number of operations in the explanation; 0 if the history is good or not decided.
    conflict: usize,
    /// Memory beyond the history, in bytes; `None` if the system does not report it.
    peak_bytes: Option<u64>,
}

impl Grid {
    /// Whether only the memory of one cell is asked for.
    pub(super) fn is_one_cell(&self) -> bool {
        self.bench_memory.is_some()
    }

    fn cells(&self, engine: Engine, model: Model) -> Vec<Cell> {
        let or =
            |asked: &[u32], default: &[u32]| if asked.is_empty() { default.to_vec() } else { asked.to_vec() };
        let sizes = [1_000, 10_000, 100_000, 1_000_000];
        let container = BenchKind::container(model);
        let engines = match engine {
            _ if container.is_some() => container.into_iter().collect(),
            Engine::Auto => vec![BenchKind::Revision, BenchKind::General],
            Engine::Revision => vec![BenchKind::Revision],
            Engine::General => vec![BenchKind::General],
        };
        // A container is one object without keys.
        let keys = if container.is_some() { vec![1] } else { or(&self.keys, &[1, 10, 1000]) };
        let mut cells = Vec::new();
        let mut both = |engine, operations, keys, clients, unknown_per_mille| {
            let good = Cell { engine, clients, keys, operations, unknown_per_mille, stale: false };
            cells.extend([good, Cell { stale: true, ..good }]);
        };
        for engine in engines {
            for operations in or(&self.operations, &sizes) {
                for &keys in &keys {
                    for clients in or(&self.clients, &[5, 25, 100]) {
                        for unknown in or(&self.unknown, &[0, 20, 50]) {
                            both(engine, operations, keys, clients, unknown);
                        }
                    }
                }
            }
        }
        if self.operations.is_empty() && engine != Engine::General && container.is_none() {
            both(BenchKind::Revision, 10_000_000, 100, 25, 20);
        }
        cells
    }
}

/// Measures a grid and prints it.
pub(super) fn bench(grid: &Grid, engine: Engine, model: Model, json: bool) -> Exit {
    if let Some(cell) = &grid.bench_memory {
        let cell: Cell = serde_json::from_str(cell).expect("the bench wrote it");
        println!(
            "{}",
            BenchHistory::new(&cell).peak_bytes().map_or("-".to_string(), |bytes| bytes.to_string())
        );
        return Exit::Held;
    }
    let cells = grid.cells(engine, model);
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:24} {human_pos}/{human_len} histories")
        .expect("the template of the progress bar is a constant");
    let bar = ProgressBar::new(cells.len() as u64).with_style(style);
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    let measure = |cell: &Cell| {
        let measured = BenchHistory::new(cell).measure(cell, grid.samples);
        bar.inc(1);
        measured
    };
    let measured: Vec<Measurement> = cells.iter().map(measure).collect();
    bar.finish_and_clear();
    let text = if json {
        let all = serde_json::json!({ "schema": "etcdsim.check-bench/1", "cells": measured });
        serde_json::to_string_pretty(&all).expect("JSON can be written") + "\n"
    } else {
        table(&measured)
    };
    super::super::print(&text);
    Exit::Held
}

/// Registers of numbers, which measure the engine alone.
type RegisterHistory = linear::History<registers::KeyedInput, linear::models::register::Output<u32>>;

/// A history in memory.
enum BenchHistory {
    Revision(revision::History, revision::Evidence),
    General(RegisterHistory),
    Container(containers::ContainerHistory),
}

impl BenchHistory {
    fn new(cell: &Cell) -> BenchHistory {
        let Cell { clients, keys, operations, unknown_per_mille, stale, .. } = *cell;
        match cell.engine {
            BenchKind::Revision => {
                let shape = revisions::Shape {
                    clients,
                    keys,
                    operations,
                    unknown: unknown_per_mille,
                    wide: 0,
                    stale,
                    seed: 1,
                };
                let (history, evidence) = revisions::generate(&shape);
                BenchHistory::Revision(history, evidence)
            }
            BenchKind::Queue => {
                BenchHistory::Container(containers::ContainerHistory::queue(&Self::shape(cell)))
            }
            BenchKind::Stack => {
                BenchHistory::Container(containers::ContainerHistory::stack(&Self::shape(cell)))
            }
            BenchKind::PriorityQueue => {
                BenchHistory::Container(containers::ContainerHistory::priority_queue(&Self::shape(cell)))
            }
            BenchKind::Bag => BenchHistory::Container(containers::ContainerHistory::bag(&Self::shape(cell))),
            BenchKind::Set => BenchHistory::Container(containers::ContainerHistory::set(&Self::shape(cell))),
            BenchKind::General => {
                let (operations, clients) = (operations as usize, clients as usize);
                let shape = registers::Shape {
                    operations,
                    clients,
                    keys,
                    unknown_per_mille,
                    stale,
                    ..registers::Shape::default()
                };
                BenchHistory::General(registers::generate(&shape))
            }
        }
    }

    fn shape(cell: &Cell) -> linear::generate::containers::Shape {
        linear::generate::containers::Shape {
            operations: cell.operations as usize,
            clients: cell.clients as usize,
            unknown_per_mille: cell.unknown_per_mille,
            wrong: if cell.stale { containers::Wrong::Swapped } else { containers::Wrong::Nothing },
            seed: 1,
        }
    }

    /// The history in the form that the engine judges.
    fn prepared(&self) -> Prepared<'_> {
        match self {
            BenchHistory::Revision(history, evidence) => Prepared::Revision(history, evidence),
            BenchHistory::General(history) => Prepared::General(history),
            BenchHistory::Container(container) => {
                let (model, history) = container.prepared();
                Prepared::Any(model, history)
            }
        }
    }

    fn measure(&self, cell: &Cell, samples: u32) -> Measurement {
        let prepared = self.prepared();
        let found = prepared.check(true);
        let right = match found {
            CheckResult::Order => !cell.stale,
            CheckResult::Conflict(_) => cell.stale,
            CheckResult::Undecided => true,
        };
        assert!(right, "a wrong verdict on {cell:?}");
        let verdict_ns = median(samples, || prepared.check(false));
        let explained_ns = if cell.stale { median(samples, || prepared.check(true)) } else { verdict_ns };
        let conflict = if let CheckResult::Conflict(operations) = found { operations } else { 0 };
        let (decided, peak_bytes) = (found != CheckResult::Undecided, peak_in_separate_process(cell));
        Measurement { cell: *cell, decided, verdict_ns, explained_ns, conflict, peak_bytes }
    }

    fn peak_bytes(&self) -> Option<u64> {
        let prepared = self.prepared();
        let before = Memory::begin()?;
        prepared.check(false);
        before.most()
    }
}

/// A history in the form that an engine judges.
enum Prepared<'a> {
    Revision(&'a revision::History, &'a revision::Evidence),
    General(&'a RegisterHistory),
    Any(AnyModel<'a>, AnyHistory<'a>),
}

impl Prepared<'_> {
    /// Judges, and explains if asked to.
    fn check(&self, explain: bool) -> CheckResult {
        let budget = Budget { explain, ..Budget::default() };
        match self {
            // An explanation costs this engine nothing extra.
            Prepared::Revision(history, evidence) => match revision::check(history, evidence) {
                revision::Verdict::Linearizable(_) => CheckResult::Order,
                revision::Verdict::Violation(violation) => CheckResult::Conflict(violation.operations.len()),
                revision::Verdict::Undecided(_) => CheckResult::Undecided,
            },
            Prepared::General(history) => {
                linear_check(&Keyed::new(Register { initial: INITIAL }), history, &budget).verdict.into()
            }
            Prepared::Any(model, history) => linear_check(model, history, &budget).verdict.into(),
        }
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckResult {
    Order,
    /// This many operations contradict each other.
    Conflict(usize),
    Undecided,
}

impl From<Verdict> for CheckResult {
    fn from(verdict: Verdict) -> CheckResult {
        match verdict {
            Verdict::Linearizable(_) => CheckResult::Order,
            Verdict::NotLinearizable(violation) => CheckResult::Conflict(violation.conflict.operations.len()),
            Verdict::Undecided(_) => CheckResult::Undecided,
        }
    }
}

fn median<T>(samples: u32, mut work: impl FnMut() -> T) -> u64 {
    let mut times: Vec<u64> = (0..samples.max(1))
        .map(|_| {
            let stopwatch = Stopwatch::start();
            let result = work();
            let took = stopwatch.elapsed();
            drop(result);
            took.as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// The peak memory of a check, measured in a separate process whose allocator returns freed memory at once.
fn peak_in_separate_process(cell: &Cell) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let cell = serde_json::to_string(cell).expect("JSON can be written");
    let output = Command::new(program)
        .args(["check", "--bench-memory", &cell])
        .env("MALLOC_TRIM_THRESHOLD_", "0")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TOP_PAD_", "0")
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn table(measured: &[Measurement]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "engine",
        "operations",
        "keys",
        "clients",
        "unknown",
        "history",
        "verdict",
        "ns/op",
        "explained",
        "conflict",
        "memory",
    ]);
    for Measurement { cell, decided, verdict_ns, explained_ns, conflict, peak_bytes } in measured {
        let explained = if cell.stale { milliseconds(*explained_ns) } else { String::new() };
        let shown = match (decided, cell.stale) {
            (false, _) => "not decided".to_string(),
            (true, true) => conflict.to_string(),
            (true, false) => String::new(),
        };
        table.add_row([
            cell.engine.name().to_string(),
            numbers::count(u64::from(cell.operations)),
            numbers::count(u64::from(cell.keys)),
            numbers::count(u64::from(cell.clients)),
            format!("{} %", f64::from(cell.unknown_per_mille) / 10.0),
            cell.kind().to_string(),
            milliseconds(*verdict_ns),
            format!("{:.1}", *verdict_ns as f64 / f64::from(cell.operations)),
            explained,
            shown,
            peak_bytes.map_or("-".to_string(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)),
        ]);
    }
    for column in (1..11).filter(|column| *column != 5) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!("{table}\n");
    for engine in BenchKind::ALL {
        text.push_str(&worst(engine, measured));
    }
    text
}

/// The most time and memory that any history took, one line for each size.
fn worst(engine: BenchKind, measured: &[Measurement]) -> String {
    let of_engine = measured.iter().filter(|measured| measured.cell.engine == engine);
    let mut sizes: Vec<u32> = of_engine.clone().map(|measured| measured.cell.operations).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let line = |size: u32| {
        let of_size = || of_engine.clone().filter(|measured| measured.cell.operations == size);
        let verdict = of_size().map(|measured| measured.verdict_ns).max().unwrap_or_default();
        let peak = of_size().filter_map(|measured| measured.peak_bytes).max().unwrap_or_default();
        let conflict = of_size().map(|measured| measured.conflict).max().unwrap_or_default();
        let beyond = |one: &Measurement| {
            one.explained_ns.saturating_sub(one.verdict_ns) as f64 / one.verdict_ns.max(1) as f64
        };
        let explanation = of_size().map(beyond).fold(0.0, f64::max);
        let undecided = match of_size().filter(|measured| !measured.decided).count() {
            0 => String::new(),
            count => format!("; {count} of {} not decided", of_size().count()),
        };
        format!(
            "{}, {} operations: at most {} and {:.1} MB; explanations of at most {conflict} operations, which take at most {explanation:.2} times the verdict's time in addition{undecided}\n",
            engine.name(),
            numbers::count(u64::from(size)),
            milliseconds(verdict),
            peak as f64 / 1e6,
        )
    };
    sizes.into_iter().map(line).collect()
}

fn milliseconds(nanos: u64) -> String {
    let millis = nanos as f64 / 1e6;
    if millis < 10.0 { format!("{millis:.3} ms") } else { format!("{millis:.1} ms") }
}
