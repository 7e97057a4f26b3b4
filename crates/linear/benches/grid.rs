//! How long verdicts take, for recorded histories and a grid of generated ones.
//!
//! `cargo bench --bench grid` runs all benchmarks, `cargo bench --bench grid -- single` those whose name contains
//! `single`. Only the check is timed; histories are read or generated beforehand.

#[path = "../tests/common/files.rs"]
mod files;

use divan::Bencher;
use linear::generate::{INITIAL, KeyedInput, Shape, generate};
use linear::models::keyed::Keyed;
use linear::models::register::{Output, Register};
use linear::models::text::Text;
use linear::{Budget, History, check};

fn main() {
    divan::main();
}

const VERDICT: Budget<'static> = Budget {
    steps_max: 20_000_000,
    bytes_max: 1 << 30,
    wall_max: None,
    explain: false,
    explain_steps_max: 0,
    threads: 1,
    cancel: None,
};

fn judge(bencher: Bencher<'_, '_>, shape: &Shape, budget: &Budget<'_>) {
    let history: History<KeyedInput, Output<u32>> = generate(shape);
    let model = Keyed::new(Register { initial: INITIAL });
    bencher.bench_local(|| check(&model, &history, budget));
}

/// One register, a million operations, every twentieth write of unknown outcome.
#[divan::bench(args = [5, 25, 100], sample_count = 5, sample_size = 1)]
fn single_good(bencher: Bencher<'_, '_>, clients: usize) {
    let shape = Shape { operations: 1_000_000, clients, unknown_per_mille: 50, ..Shape::default() };
    judge(bencher, &shape, &VERDICT);
}

/// The same with one stale read.
#[divan::bench(args = [5, 25, 100], sample_count = 5, sample_size = 1)]
fn single_stale(bencher: Bencher<'_, '_>, clients: usize) {
    let shape =
        Shape { operations: 1_000_000, clients, unknown_per_mille: 50, stale: true, ..Shape::default() };
    judge(bencher, &shape, &VERDICT);
}

/// The same with its explanation.
#[divan::bench(args = [5, 25, 100], sample_count = 5, sample_size = 1)]
fn single_stale_explained(bencher: Bencher<'_, '_>, clients: usize) {
    let shape =
        Shape { operations: 1_000_000, clients, unknown_per_mille: 50, stale: true, ..Shape::default() };
    judge(bencher, &shape, &Budget { explain: true, explain_steps_max: 200_000, ..VERDICT });
}

/// Many registers.
#[divan::bench(args = [10, 1000], sample_count = 5, sample_size = 1)]
fn keyed_good(bencher: Bencher<'_, '_>, keys: u32) {
    let shape = Shape { operations: 1_000_000, clients: 25, keys, unknown_per_mille: 20, ..Shape::default() };
    judge(bencher, &shape, &VERDICT);
}

/// Few values: no zone test, all search.
#[divan::bench(args = [(1_000, 10, 0), (1_000, 25, 0), (1_000, 25, 20), (10_000, 10, 20), (10_000, 25, 0), (10_000, 25, 20)], sample_count = 5, sample_size = 1)]
fn few_values(bencher: Bencher<'_, '_>, (operations, clients, unknown_per_mille): (usize, usize, u32)) {
    let shape = Shape { operations, clients, unknown_per_mille, values: 5, ..Shape::default() };
    judge(bencher, &shape, &VERDICT);
}

/// All logs of an early etcd, one after the other.
#[divan::bench(args = [false, true])]
fn recorded_logs(bencher: Bencher<'_, '_>, explain: bool) {
    let table = files::text("jepsen-etcd/verdicts.tsv");
    let files = table.lines().filter_map(|line| line.split('\t').next());
    let read = |file| files::log(&format!("jepsen-etcd/{file}"));
    let histories: Vec<_> = files.map(read).collect();
    let budget = Budget { explain, explain_steps_max: 200_000, ..VERDICT };
    bencher.bench_local(|| {
        histories
            .iter()
            .filter(|history| check(&files::REGISTER, history, &budget).verdict.is_violation())
            .count()
    });
}

/// The key-value histories, key by key.
#[divan::bench(args = ["c01-ok", "c01-bad", "c10-ok", "c50-bad"])]
fn recorded_stores(bencher: Bencher<'_, '_>, file: &str) {
    let history = files::store(&format!("porcupine-kv/{file}.txt"));
    bencher.bench_local(|| check(&Keyed::new(Text), &history, &VERDICT));
}

/// The ones with violations, with explanations.
#[divan::bench(args = ["c01-bad", "c50-bad"])]
fn recorded_stores_explained(bencher: Bencher<'_, '_>, file: &str) {
    let history = files::store(&format!("porcupine-kv/{file}.txt"));
    let budget = Budget { explain: true, explain_steps_max: 200_000, ..VERDICT };
    bencher.bench_local(|| check(&Keyed::new(Text), &history, &budget));
}

/// One of them as a single component.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn recorded_store_without_keys(bencher: Bencher<'_, '_>) {
    let history = files::store("porcupine-kv/c10-ok.txt");
    bencher.bench_local(|| check(&Keyed::together(Text), &history, &VERDICT));
}
