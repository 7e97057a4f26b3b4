//! Histories as a correct store, or one with a single stale read, would leave them: for benchmarks and tests.
//!
//! Clients are busy nearly all the time, which is the worst case for whoever has to order them: a call takes an
//! exponential time to its point and another one back, and a client thinks for a tenth of that. Half of the operations
//! are reads, 30 % puts, 10 % updates, 10 % removals. A write whose answer is lost takes effect half of the time, up to
//! a while later, and its client is replaced.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::history::{Change, Evidence, History, Kind, Operation, Seen, UNKNOWN};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many are asking at a time.
    pub clients: u32,
    /// How many keys there are.
    pub keys: u32,
    /// How many operations.
    pub operations: u32,
    /// How many writes of a thousand lose their answer.
    pub unknown: u32,
    /// Whether one read of the second half shows the store before a change that was acknowledged before it was asked.
    pub stale: bool,
    /// The same shape and seed give the same history.
    pub seed: u64,
}

/// Makes a history, and what a watch of everything would show of it.
pub fn generate(shape: &Shape) -> (History, Evidence) {
    let mut run = Run::new(shape);
    for client in 0..shape.clients {
        let at = run.wait(0.1);
        run.happen(at, Event::Call(client));
    }
    while let Some(Reverse((time, _, event))) = run.queue.pop() {
        run.now = time;
        match event {
            Event::Call(client) => run.call(client),
            Event::Point(number, client) => run.point(number, Some(client)),
            Event::LatePoint(number) => run.point(number, None),
            Event::Return(number, client) => run.answer(number, client),
        }
    }
    (run.history(), Evidence::from(run.changes))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Call(u32),
    Point(u32, u32),
    LatePoint(u32),
    Return(u32, u32),
}

/// One key of the store.
#[derive(Clone, Copy, Default)]
struct Row {
    now: Seen,
    /// Before its last change, the revision of that and who made it.
    before: Seen,
    changed: u32,
    maker: u32,
}

struct Run<'a> {
    shape: &'a Shape,
    random: u64,
    now: u64,
    /// Calls and returns so far: the times of the history.
    rank: u64,
    queue: BinaryHeap<Reverse<(u64, u32, Event)>>,
    queued: u32,
    operations: Vec<Operation>,
    rows: Vec<Row>,
    revision: u32,
    changes: Vec<Change>,
    /// Whether the stale read was made.
    staled: bool,
}

impl Run<'_> {
    fn new(shape: &Shape) -> Run<'_> {
        Run {
            shape,
            random: shape.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            now: 0,
            rank: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            operations: Vec::with_capacity(shape.operations as usize),
            rows: vec![Row::default(); shape.keys as usize],
            revision: 1,
            changes: Vec::new(),
            staled: !shape.stale,
        }
    }

    /// splitmix64 (Steele, Lea, Flood 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (((self.draw() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A time from now, exponential with this mean.
    fn wait(&mut self, mean: f64) -> u64 {
        let uniform = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        self.now + (-(1.0 - uniform).ln() * mean * 1e6) as u64
    }

    fn happen(&mut self, at: u64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    fn call(&mut self, client: u32) {
        let number = self.operations.len() as u32;
        if number == self.shape.operations {
            return;
        }
        let key = self.below(self.shape.keys);
        let last = self.rows[key as usize].now.modified;
        let operation = match self.below(10) {
            0..5 => Operation::get(key, Seen::ABSENT),
            5..8 => Operation::put(key, number + 1),
            // Mostly what the client would have read a moment ago.
            8 => Operation::update(key, last, number + 1, None),
            _ => Operation::delete(key, true),
        };
        self.rank += 1;
        let is_lost = operation.is_write() && self.below(1000) < self.shape.unknown;
        self.operations.push(Operation { call: self.rank, ret: UNKNOWN, ..operation });
        if is_lost {
            if self.below(2) == 0 {
                let at = self.wait(5.0);
                self.happen(at, Event::LatePoint(number));
            }
            let at = self.wait(1.0);
            return self.happen(at, Event::Call(client));
        }
        let at = self.wait(1.0);
        self.happen(at, Event::Point(number, client));
    }

    /// An operation takes effect.
    fn point(&mut self, number: u32, client: Option<u32>) {
        let operation = self.operations[number as usize];
        let row = self.rows[operation.key as usize];
        let (changed, value) = match operation.kind {
            Kind::Put => (true, Some(operation.value)),
            Kind::Delete => (row.now != Seen::ABSENT, None),
            Kind::Update => (row.now.modified == operation.expected, Some(operation.value)),
            Kind::Get | Kind::GetSerializable => (false, None),
        };
        let mut shows =
            if operation.is_write() && (changed || value.is_none()) { Seen::ABSENT } else { row.now };
        if changed {
            self.change(number, operation.key, value);
        }
        let Some(client) = client else { return };
        let mut revision = self.revision;
        if let Some(before) = self.stale(&operation, &row) {
            (revision, shows) = (row.changed - 1, before);
        }
        let answer = Operation { revision, changed, seen: shows, ..operation };
        self.operations[number as usize] = answer;
        let at = self.wait(1.0);
        self.happen(at, Event::Return(number, client));
    }

    fn change(&mut self, number: u32, key: u32, value: Option<u32>) {
        self.revision += 1;
        let revision = self.revision;
        let row = &mut self.rows[key as usize];
        let before = row.now;
        let now = match value {
            None => Seen::ABSENT,
            Some(value) if before == Seen::ABSENT => Seen::new(value, revision, revision, 1),
            Some(value) => Seen::new(value, revision, before.created, before.version + 1),
        };
        *row = Row { now, before, changed: revision, maker: number };
        self.changes.push(Change { revision, key, value });
    }

    /// What the one stale read shows, if this is the one.
    fn stale(&mut self, operation: &Operation, row: &Row) -> Option<Seen> {
        let late = self.operations.len() as u32 > self.shape.operations / 2;
        if self.staled || !late || operation.is_write() || row.changed == 0 {
            return None;
        }
        let maker = &self.operations[row.maker as usize];
        let acknowledged = maker.ret != UNKNOWN && maker.ret < operation.call;
        self.staled = acknowledged;
        acknowledged.then_some(row.before)
    }

    fn answer(&mut self, number: u32, client: u32) {
        self.rank += 1;
        self.operations[number as usize].ret = self.rank;
        let at = self.wait(0.1);
        self.happen(at, Event::Call(client));
    }

    fn history(&mut self) -> History {
        let mut history = History::new(1);
        for operation in std::mem::take(&mut self.operations) {
            history.push(operation);
        }
        history
    }
}
