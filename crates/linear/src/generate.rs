//! Histories of a simulated register or store, for tests and benchmarks.
//!
//! Every operation takes effect at one time, its *point*, between its call and its return. The times from call to
//! point and from point to return are exponentially distributed with mean 1. A client pauses for a tenth of that
//! between operations, so nearly all clients are always waiting for an answer. With a given probability the outcome of
//! a write stays unknown to its client. Such a write takes effect with probability one half, after an exponential time
//! with mean 5 from its call, and the client continues under a new number. By default all written values are
//! different.

pub mod containers;

use crate::history::{History, Operation, Outcome};
use crate::models::keyed;
use crate::models::register::{Input, Output};

/// An operation on a register of numbers that has a key.
pub type KeyedInput = keyed::Input<u32, Input<u32>>;

/// What kind of history to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many operations.
    pub operations: usize,
    /// How many clients at a time.
    pub clients: usize,
    /// How many keys. Each operation is on one of them, with equal probability.
    pub keys: u32,
    /// How many of a thousand writes have an unknown outcome.
    pub unknown_per_mille: u32,
    /// How many of a hundred operations are reads; of the rest a fifth are compare-and-sets.
    pub reads_per_cent: u32,
    /// How many values there are per key; 0: all written values are different.
    pub values: u32,
    /// Whether one read in the second half returns a value that was overwritten before it was called.
    pub stale: bool,
    /// The same seed gives the same history.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            operations: 1000,
            clients: 5,
            keys: 1,
            unknown_per_mille: 0,
            reads_per_cent: 50,
            values: 0,
            stale: false,
            seed: 1,
        }
    }
}

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`, or 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// An exponentially distributed number with this mean, rounded down.
    fn exponential(&mut self, mean: f64) -> u64 {
        let uniform = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        (-(1.0 - uniform).ln() * mean) as u64
    }
}

/// One unit of the simulated time, in ticks: fine enough that equal times are rare.
const UNIT: f64 = 1_000_000.0;

/// An operation that will take effect at its point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    point: u64,
    index: u32,
}

/// The initial value of every key.
pub const INITIAL: u32 = 0;

/// Generates a history. It is linearizable, unless the shape asks for a stale read.
pub fn generate(shape: &Shape) -> History<KeyedInput, Output<u32>> {
    let mut simulation = Simulation::new(shape);
    let mut operations = simulation.calls();
    simulation.points(&mut operations);
    if shape.stale {
        simulation.make_stale(&mut operations);
    }
    History::from_operations(operations).expect("a simulated operation returns after its call")
}

/// A history while it is generated.
struct Simulation<'a> {
    shape: &'a Shape,
    random: Random,
    /// By operation: when it takes effect; [`NEVER`] if it does not.
    points: Vec<u64>,
    /// By operation: what its key held just before.
    before: Vec<u32>,
}

/// The point of an operation that does not take effect.
const NEVER: u64 = u64::MAX;

impl<'a> Simulation<'a> {
    fn new(shape: &'a Shape) -> Self {
        Simulation { shape, random: Random::new(shape.seed), points: Vec::new(), before: Vec::new() }
    }

    /// All operations in the order of their calls. The times of points and returns are drawn; answers come later.
    fn calls(&mut self) -> Vec<Operation<KeyedInput, Output<u32>>> {
        let mut clients: std::collections::BinaryHeap<std::cmp::Reverse<(u64, u32)>> =
            (0..self.shape.clients)
                .map(|client| std::cmp::Reverse((self.random.exponential(UNIT), client as u32)))
                .collect();
        // The number of the newest client. A client that loses an operation continues under a new number.
        let mut names = self.shape.clients as u32;
        let mut operations = Vec::with_capacity(self.shape.operations);
        while operations.len() < self.shape.operations {
            let Some(std::cmp::Reverse((call, client))) = clients.pop() else { break };
            let input = self.input(operations.len() as u32);
            let unknown = !matches!(input.input, Input::Read)
                && self.random.below(1000) < u64::from(self.shape.unknown_per_mille);
            let (point, outcome, next) = if unknown {
                let takes_effect = self.random.below(2) == 0;
                let point = call + self.random.exponential(5.0 * UNIT);
                names += 1;
                let timeout = call + (2.0 * UNIT) as u64;
                (if takes_effect { point } else { NEVER }, Outcome::Unknown, (timeout, names))
            } else {
                let point = call + self.random.exponential(UNIT);
                let at = point + self.random.exponential(UNIT);
                let pause = self.random.exponential(UNIT / 10.0);
                (point, Outcome::Answered { output: Output::Written, at }, (at + pause + 1, client))
            };
            self.points.push(point);
            clients.push(std::cmp::Reverse(next));
            operations.push(Operation { client, input, call, outcome });
        }
        operations
    }

    /// Draws what the operation with this number does.
    fn input(&mut self, index: u32) -> KeyedInput {
        let key = self.random.below(u64::from(self.shape.keys)) as u32;
        let new = match self.shape.values {
            0 => index + 1,
            values => self.random.below(u64::from(values)) as u32 + 1,
        };
        let input = if self.random.below(100) < u64::from(self.shape.reads_per_cent) {
            Input::Read
        } else if self.random.below(5) == 0 {
            // The expected value is filled in when the operation takes effect.
            Input::Cas(INITIAL, new)
        } else {
            Input::Write(new)
        };
        keyed::Input { key, input }
    }

    /// Lets every operation take effect, in the order of the points.
    fn points(&mut self, operations: &mut [Operation<KeyedInput, Output<u32>>]) {
        let mut pending: Vec<Pending> = (0..operations.len() as u32)
            .filter(|&index| self.points[index as usize] != NEVER)
            .map(|index| Pending { point: self.points[index as usize], index })
            .collect();
        pending.sort_unstable();
        let mut store = vec![INITIAL; self.shape.keys as usize];
        // What each key held a few writes ago: compare-and-sets expect a value that a client may have seen.
        let mut recent = vec![[INITIAL; 4]; self.shape.keys as usize];
        self.before = vec![INITIAL; operations.len()];
        for Pending { index, .. } in pending {
            let at = index as usize;
            let key = operations[at].input.key as usize;
            self.before[at] = store[key];
            if let Input::Cas(expected, new) = &mut operations[at].input.input {
                *expected = if self.random.below(2) == 0 {
                    store[key]
                } else {
                    recent[key][self.random.below(4) as usize]
                };
                // It must set another value than it expects. Only if values are shared can the two be equal; then it
                // sets one above all shared ones.
                if expected == new {
                    *new += 1 + self.shape.values;
                }
            }
            let (held, output) = effect(store[key], &operations[at].input.input);
            if held != store[key] {
                recent[key].rotate_right(1);
                recent[key][0] = store[key];
                store[key] = held;
            }
            if let Outcome::Answered { output: answer, .. } = &mut operations[at].outcome {
                *answer = output;
            }
        }
    }

    /// Makes one read return a value although another write lies entirely between that value's write and the read.
    fn make_stale(&mut self, operations: &mut [Operation<KeyedInput, Output<u32>>]) {
        let half = operations.len() / 2;
        let mut stale = None;
        for at in half..operations.len() {
            if operations[at].input.input == Input::Read
                && let Some(value) = self.overwritten(operations, at)
            {
                stale = Some((at, value));
                if self.random.below(4) == 0 {
                    break;
                }
            }
        }
        if let Some((at, value)) = stale
            && let Outcome::Answered { output, .. } = &mut operations[at].outcome
        {
            *output = Output::Value(value);
        }
    }

    /// A value that must have been overwritten before the read at `at` was called.
    fn overwritten(&self, operations: &[Operation<KeyedInput, Output<u32>>], at: usize) -> Option<u32> {
        let read = &operations[at];
        let window = at.saturating_sub(400 * self.shape.keys as usize);
        let mut writes = operations[window..at].iter().rev().filter_map(|operation| {
            match (&operation.input, operation.returned()) {
                (keyed::Input { key, input: Input::Write(value) }, Some(returned))
                    if *key == read.input.key =>
                {
                    Some(Write { call: operation.call, returned, value: *value })
                }
                _ => None,
            }
        });
        let newer = writes.by_ref().find(|write| write.returned < read.call)?;
        let older = writes.find(|write| write.returned < newer.call && write.value != newer.value);
        older.map(|write| write.value)
    }
}

/// An answered write, for [`Simulation::overwritten`].
struct Write {
    call: u64,
    returned: u64,
    value: u32,
}

/// What a register holds after an operation, and its answer.
fn effect(held: u32, input: &Input<u32>) -> (u32, Output<u32>) {
    match *input {
        Input::Read => (held, Output::Value(held)),
        Input::Write(new) => (new, Output::Written),
        Input::Cas(expected, new) if expected == held => (new, Output::Set(true)),
        Input::Cas(..) => (held, Output::Set(false)),
    }
}
