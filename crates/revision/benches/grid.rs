//! Measures [`check`] on histories that differ in the numbers of clients, keys and operations, in the share of unknown
//! outcomes, and in whether there is a stale read. It reports time, and the memory that the check takes besides the
//! history (the column "max alloc").

use std::fmt;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use revision::generate::{Shape, generate};
use revision::{Verdict, check};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// One cell of the grid.
struct Cell(Shape);

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { clients, keys, unknown, wide, stale, .. } = self.0;
        let kind = if stale { "stale" } else { "good" };
        write!(out, "{clients:3} clients {keys:4} keys {unknown:2}‰ unknown {wide:3}‰ wide {kind}")
    }
}

fn cell(clients: u32, keys: u32, operations: u32, unknown: u32, stale: bool) -> Cell {
    Cell(Shape { clients, keys, operations, unknown, wide: 0, stale, seed: 1 })
}

/// Every combination of a few clients, keys, unknown outcomes and stale reads.
fn grid(operations: u32) -> Vec<Cell> {
    let mut cells = Vec::new();
    for clients in [5, 25, 100] {
        for keys in [1, 10, 1000] {
            for unknown in [0, 20, 50] {
                cells.extend([false, true].map(|stale| cell(clients, keys, operations, unknown, stale)));
            }
        }
    }
    cells
}

#[divan::bench(args = grid(1000), sample_count = 20, sample_size = 1)]
fn n_1e3(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

#[divan::bench(args = grid(10_000), sample_count = 20, sample_size = 1)]
fn n_1e4(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

#[divan::bench(args = grid(100_000), sample_count = 20, sample_size = 1)]
fn n_1e5(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

#[divan::bench(args = grid(1_000_000), sample_count = 9, sample_size = 1)]
fn n_1e6(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

#[divan::bench(
    args = [cell(5, 10, 10_000_000, 20, false), cell(100, 1000, 10_000_000, 50, false)],
    sample_count = 3,
    sample_size = 1,
)]
fn n_1e7(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

/// With operations on several keys.
#[divan::bench(
    args = [(10, 100), (100, 100), (100, 500)].map(|(keys, wide)| {
        let Cell(shape) = cell(25, keys, 100_000, 20, false);
        Cell(Shape { wide, ..shape })
    }),
    sample_count = 9,
    sample_size = 1,
)]
fn wide_1e5(bencher: Bencher<'_, '_>, cell: &Cell) {
    judge(bencher, &cell.0);
}

fn judge(bencher: Bencher<'_, '_>, shape: &Shape) {
    let (history, evidence) = generate(shape);
    bencher.counter(ItemsCount::new(shape.operations)).bench_local(|| {
        let verdict = check(&history, &evidence);
        // A short history may have no place for a stale read.
        let may_be_good = !shape.stale || shape.operations < 100_000;
        assert!(may_be_good || matches!(verdict, Verdict::Violation(_)));
        assert!(shape.stale || matches!(verdict, Verdict::Linearizable(_)));
        verdict
    });
}
