//! The engine over the grid of clients, keys, operations and shares of unknown outcomes.

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use revision::generate::{Shape, generate};
use revision::{Verdict, check};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const MILLION: u32 = 1_000_000;

fn shapes() -> impl Iterator<Item = Shape> {
    let shape =
        |clients, keys, unknown, stale| Shape { clients, keys, operations: MILLION, unknown, stale, seed: 1 };
    [
        shape(5, 1, 0, false),
        shape(100, 1, 50, false),
        shape(100, 1, 50, true),
        shape(5, 10, 20, false),
        shape(25, 10, 20, true),
        shape(25, 1000, 20, false),
        shape(100, 1000, 50, false),
        shape(100, 1000, 50, true),
    ]
    .into_iter()
}

#[divan::bench(args = shapes(), sample_count = 20, sample_size = 1)]
fn a_million(bencher: Bencher<'_, '_>, shape: &Shape) {
    judge(bencher, shape);
}

#[divan::bench(args = [10_000, 100_000, MILLION, 10 * MILLION], sample_count = 5, sample_size = 1)]
fn linear_in_operations(bencher: Bencher<'_, '_>, operations: u32) {
    judge(bencher, &Shape { clients: 25, keys: 100, operations, unknown: 20, stale: false, seed: 1 });
}

fn judge(bencher: Bencher<'_, '_>, shape: &Shape) {
    let (history, evidence) = generate(shape);
    bencher.counter(ItemsCount::new(shape.operations)).bench_local(|| {
        let verdict = check(&history, &evidence);
        assert_eq!(matches!(verdict, Verdict::Linearizable(_)), !shape.stale);
        verdict
    });
}
