//! How much memory a check takes on top of its history: `cargo bench --bench memory`. The line `max alloc` has the
//! bytes.
//!
//! Separate from the grid, because counting costs time.

use divan::{AllocProfiler, Bencher};
use linear::generate::{INITIAL, Shape, generate};
use linear::models::keyed::Keyed;
use linear::models::register::Register;
use linear::{Budget, check};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A million operations of 25 clients, every fiftieth write of unknown outcome.
#[divan::bench(args = [1, 10, 1000], sample_count = 1, sample_size = 1)]
fn peak(bencher: Bencher<'_, '_>, keys: u32) {
    let shape = Shape { operations: 1_000_000, clients: 25, keys, unknown_per_mille: 20, ..Shape::default() };
    let history = generate(&shape);
    let model = Keyed::new(Register { initial: INITIAL });
    bencher.bench_local(|| check(&model, &history, &Budget::default()));
}
