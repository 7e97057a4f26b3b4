//! What an explanation costs on top of the bare verdict, and how many operations it names.
//!
//! `cargo bench --bench explanations` prints a line for each history with a violation: the median times of the
//! verdict alone and of the explanation, their ratio, the size of the conflict, and the size of the least conflict
//! that is found on demand. `cargo bench --bench explanations -- 1000000` prints only histories of that many
//! operations; a word that is not a number selects the recorded histories whose name contains it.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement reads the clock")]

#[path = "../tests/common/files.rs"]
mod files;

use std::time::{Duration, Instant};

use linear::generate::{INITIAL, Shape, generate};
use linear::models::keyed::Keyed;
use linear::models::register::Register;
use linear::models::text::Text;
use linear::{Budget, History, Model, Verdict, check};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let lengths: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let names: Vec<&String> = words.iter().filter(|word| word.parse::<usize>().is_err()).collect();
    println!("history\tverdict µs\texplanation µs\tratio\tconflict\tleast");
    if lengths.is_empty() {
        recorded(&names);
    }
    if names.is_empty() {
        generated(&lengths);
    }
}

fn recorded(names: &[&String]) {
    let wanted = |file: &str| names.is_empty() || names.iter().any(|name| file.contains(name.as_str()));
    let table = files::text("jepsen-etcd/verdicts.tsv");
    let mut all = Cost::default();
    for file in table.lines().filter_map(|line| line.split('\t').next()).filter(|file| wanted(file)) {
        let log = files::log(&format!("jepsen-etcd/{file}"));
        all.add(&report(file, &files::REGISTER, &log));
    }
    println!("all logs\t{all}");
    for file in ["c01-bad", "c10-bad", "c50-bad"].into_iter().filter(|file| wanted(file)) {
        let path = format!("porcupine-kv/{file}.txt");
        if !std::path::Path::new(&format!("{}/tests/data/{path}", env!("CARGO_MANIFEST_DIR"))).exists() {
            continue;
        }
        let history = files::store(&path);
        report(file, &Keyed::new(Text), &history);
    }
}

fn generated(lengths: &[usize]) {
    for operations in [1_000, 10_000, 100_000, 1_000_000] {
        if !lengths.is_empty() && !lengths.contains(&operations) {
            continue;
        }
        for keys in [1, 10, 1000] {
            for clients in [5, 10, 25, 50, 100] {
                for unknown_per_mille in [0, 5, 20, 50] {
                    let shape = Shape {
                        operations,
                        clients,
                        keys,
                        unknown_per_mille,
                        stale: true,
                        ..Shape::default()
                    };
                    let name = format!("{operations} {keys} {clients} {unknown_per_mille}");
                    report(&name, &Keyed::new(Register { initial: INITIAL }), &generate(&shape));
                }
            }
        }
    }
}

/// What one or several histories took.
#[derive(Default)]
struct Cost {
    verdict: Duration,
    whole: Duration,
    /// The size of the largest conflict.
    operations: usize,
    least: usize,
}

impl Cost {
    fn add(&mut self, other: &Cost) {
        self.verdict += other.verdict;
        self.whole += other.whole;
        self.operations = self.operations.max(other.operations);
        self.least = self.least.max(other.least);
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let (verdict, more) = (micros(self.verdict), micros(self.whole.saturating_sub(self.verdict)));
        write!(f, "{verdict:.1}\t{more:.1}\t{:.2}\t{}\t{}", more / verdict, self.operations, self.least)
    }
}

/// Measures a history and prints its line, if it is a violation.
fn report<M>(name: &str, model: &M, history: &History<M::Input, M::Output>) -> Cost
where
    M: Model + Sync,
    M::Input: Sync,
    M::Output: Sync,
{
    let bare = Budget { explain: false, ..Budget::default() };
    let Verdict::NotLinearizable(violation) = check(model, history, &Budget::default()).verdict else {
        let verdict = median(|| check(model, history, &bare));
        return Cost { verdict, whole: verdict, operations: 0, least: 0 };
    };
    let cost = Cost {
        verdict: median(|| check(model, history, &bare)),
        whole: median(|| check(model, history, &Budget::default())),
        operations: violation.conflict.operations.len(),
        least: match violation.conflict.operations.len() {
            small @ 0..=6 => small,
            _ => violation.least_conflict(model, history, &Budget::default()).operations.len(),
        },
    };
    println!("{name}\t{cost}");
    cost
}

/// The median time of several runs; a shorter run is repeated more often.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || times.len() < 1001 && begin.elapsed() < Duration::from_millis(30) {
        let start = Instant::now();
        std::hint::black_box(run());
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}
