//! Generates random histories for benchmarks and tests: those of a correct store, or with a single stale read.
//!
//! * Clients are busy nearly all the time, because many overlapping operations make ordering hardest. An operation
//!   takes effect at one time, its *point*. The times from its call to the point and from the point to its return are
//!   exponentially distributed. The client then pauses for a time that is a tenth of these on average.
//! * Half of the operations are reads, 30 % puts, 10 % updates and 10 % deletions. A share of the operations may be on
//!   several keys.
//! * Half of the writes of unknown outcome take effect, some of them late. Their client is replaced by a new one.
//! * If there are operations on several keys, the store also deletes keys itself, as etcd does when leases expire.

mod wide;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use self::wide::Random;
use crate::evidence::{Change, Evidence};
use crate::execute::{Past, Store, cut, execute};
use crate::history::{History, Kind, Operation, Seen, UNKNOWN};
use crate::wide::{Keys, Wide};

/// What kind of history to generate.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many clients at a time.
    pub clients: u32,
    /// How many keys.
    pub keys: u32,
    /// How many operations.
    pub operations: u32,
    /// How many of a thousand writes have an unknown outcome.
    pub unknown: u32,
    /// How many of a thousand operations are on several keys.
    pub wide: u32,
    /// Whether one read in the second half shows the store before a change that was acknowledged before its call.
    pub stale: bool,
    /// The same shape and seed give the same history.
    pub seed: u64,
}

/// Generates a history, and the evidence that a watch of everything would give.
pub fn generate(shape: &Shape) -> (History, Evidence) {
    let mut run = Run::new(shape);
    for client in 0..shape.clients {
        let at = run.wait(0.1);
        run.add(at, Event::Call(client));
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
    let history = run.history();
    (history, Evidence::from(run.changes).made_by_store(run.store_made))
}

/// What happens at a time. Operations are given by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The client calls an operation.
    Call(u32),
    /// The operation of the client takes effect.
    Point(u32, u32),
    /// The operation, which its client has given up, takes effect.
    LatePoint(u32),
    /// The operation of the client returns.
    Return(u32, u32),
}

/// How many recent changes of a key are remembered for the stale read.
const RECENT: usize = 1024;

/// A recent change of a key, from which the stale read is made.
#[derive(Clone, Copy)]
struct Row {
    /// What the key held before it.
    before: Seen,
    /// Its revision.
    revision: u32,
    /// The operation that made it.
    maker: u32,
}

/// The simulation of clients and a store.
struct Run<'a> {
    shape: &'a Shape,
    random: Random,
    /// The simulated time.
    now: u64,
    /// The number of calls and returns so far. The history has these numbers as times.
    rank: u64,
    /// The events to come, by time and by the order in which they were added.
    queue: BinaryHeap<Reverse<(u64, u32, Event)>>,
    /// How many events were added to the queue so far.
    queued: u32,
    /// All operations called so far.
    operations: Vec<Operation>,
    /// The operations on several keys. The field `value` of an operation is the index here.
    wide: Vec<Wide>,
    /// By key: what it holds now.
    keys: Vec<Seen>,
    /// What each key held at earlier revisions, for ranges that read those.
    past: Past,
    /// By key: its last changes, until the stale read is made.
    rows: Vec<VecDeque<Row>>,
    /// The store's revision.
    revision: u32,
    /// All changes, which become the evidence.
    changes: Vec<Change>,
    /// Revisions that the store made itself.
    store_made: Vec<u32>,
    /// Whether the stale read was made, or none is wanted.
    stale_done: bool,
}

impl Run<'_> {
    fn new(shape: &Shape) -> Run<'_> {
        Run {
            shape,
            random: Random::new(shape.seed),
            now: 0,
            rank: 0,
            queue: BinaryHeap::new(),
            queued: 0,
            operations: Vec::with_capacity(shape.operations as usize),
            wide: Vec::new(),
            keys: vec![Seen::ABSENT; shape.keys as usize],
            past: Past::new(shape.keys as usize, shape.wide > 0),
            rows: vec![VecDeque::new(); shape.keys as usize],
            revision: 1,
            changes: Vec::new(),
            store_made: Vec::new(),
            stale_done: !shape.stale,
        }
    }

    /// A random number below `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        self.random.below(bound)
    }

    /// A random time after now. The distance is exponentially distributed; `mean` is in millions of units of time.
    fn wait(&mut self, mean: f64) -> u64 {
        let uniform = (self.random.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        self.now + (-(1.0 - uniform).ln() * mean * 1e6) as u64
    }

    /// Adds an event to the queue.
    fn add(&mut self, at: u64, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    /// Lets a client call an operation, unless there are enough operations.
    fn call(&mut self, client: u32) {
        let number = self.operations.len() as u32;
        if number == self.shape.operations {
            return;
        }
        let operation = self.random_operation(number);
        self.rank += 1;
        let is_lost = operation.is_write() && self.below(1000) < self.shape.unknown;
        self.operations.push(Operation { call: self.rank, returned: UNKNOWN, ..operation });
        if is_lost {
            if self.below(2) == 0 {
                let at = self.wait(5.0);
                self.add(at, Event::LatePoint(number));
            }
            let at = self.wait(1.0);
            return self.add(at, Event::Call(client));
        }
        let at = self.wait(1.0);
        self.add(at, Event::Point(number, client));
    }

    /// A random operation. Its number makes the value that it sets unique.
    fn random_operation(&mut self, number: u32) -> Operation {
        if self.shape.wide > 0 && self.below(1000) < self.shape.wide {
            let request = self.random.request(self.shape.keys, self.revision, number + 1);
            let kind = if request.is_write() { Kind::Transaction } else { Kind::Range };
            let value = self.wide.len() as u32;
            self.wide.push(Wide::transaction(request, None));
            return Operation { kind, value, ..Operation::get(0, Seen::ABSENT) };
        }
        let key = self.below(self.shape.keys);
        let last = self.keys[key as usize].modified;
        match self.below(10) {
            0..5 => Operation::get(key, Seen::ABSENT),
            5..8 => Operation::put(key, number + 1),
            // The revision that the client would have read a moment ago.
            8 => Operation::update(key, last, number + 1, None),
            _ => Operation::delete(key, true),
        }
    }

    /// Lets an operation take effect. `client` is `None` if the client has given it up.
    fn point(&mut self, number: u32, client: Option<u32>) {
        let operation = self.operations[number as usize];
        if self.shape.wide > 0 && self.below(2000) < self.shape.wide {
            self.remove_by_store();
        }
        let answer = if operation.is_wide() {
            self.point_wide(number, operation)
        } else {
            Some(self.point_on_key(number, operation))
        };
        let Some(client) = client else { return };
        // The store refused the request. The history shows it as one of unknown outcome.
        let Some(answer) = answer else {
            let at = self.wait(0.1);
            return self.add(at, Event::Call(client));
        };
        self.operations[number as usize] = answer;
        let at = self.wait(1.0);
        self.add(at, Event::Return(number, client));
    }

    /// Lets an operation on one key take effect. Returns it with its answer.
    fn point_on_key(&mut self, number: u32, operation: Operation) -> Operation {
        let holds = self.keys[operation.key as usize];
        let changed = match operation.kind {
            Kind::Put => true,
            Kind::Delete => holds != Seen::ABSENT,
            Kind::Update => holds.modified == operation.expected,
            _ => false,
        };
        let shows_nothing = changed || operation.kind == Kind::Delete;
        let mut seen = if shows_nothing { Seen::ABSENT } else { holds };
        if changed {
            self.revision += 1;
            self.change(Some(number), operation.key, holds.after(self.revision, operation.sets()));
        }
        let mut revision = self.revision;
        if let Some(before) = self.stale(&operation) {
            (revision, seen) = before;
        }
        Operation { revision, changed, seen, ..operation }
    }

    /// Lets an operation on several keys take effect. Returns it with its answer; `None` if the store refused it.
    fn point_wide(&mut self, number: u32, operation: Operation) -> Option<Operation> {
        let place = operation.value as usize;
        let store = Store { keys: &self.keys, revision: self.revision, past: &self.past };
        let mut done = execute(store, &self.wide[place].request, true)?;
        // Leaves out the pairs beyond the limit of a range.
        cut(&self.wide[place].request, &mut done.response);
        self.wide[place].response = done.response;
        let changed = !done.changes.is_empty();
        self.revision += u32::from(changed);
        for (key, holds) in done.changes {
            self.change(Some(number), key, holds);
        }
        Some(Operation { revision: self.revision, changed, ..operation })
    }

    /// Lets the store delete some keys itself, as if a lease had expired.
    fn remove_by_store(&mut self) {
        let keys: Keys = self.random.keys(self.shape.keys);
        let held = |key: &u32| !self.keys[*key as usize].is_absent();
        let gone: Vec<u32> = (keys.from..keys.to.min(self.shape.keys)).filter(held).collect();
        if !gone.is_empty() {
            self.revision += 1;
            self.store_made.push(self.revision);
        }
        for key in gone {
            self.change(None, key, Seen::ABSENT);
        }
    }

    /// Sets a key in the store. `maker` is the operation that does so; `None` if it is the store itself.
    fn change(&mut self, maker: Option<u32>, key: u32, holds: Seen) {
        let revision = self.revision;
        let before = std::mem::replace(&mut self.keys[key as usize], holds);
        if !self.stale_done
            && let Some(maker) = maker
        {
            let rows = &mut self.rows[key as usize];
            if rows.len() == RECENT {
                rows.pop_front();
            }
            rows.push_back(Row { before, revision, maker });
        }
        self.past.push(revision, key, holds);
        let value = (!holds.is_absent()).then_some(holds.value);
        self.changes.push(Change { revision, key, value });
    }

    /// If this operation is to be the stale read: the revision and the content of its answer. They are those just before
    /// the last change of the key that was acknowledged before the read was called.
    fn stale(&mut self, operation: &Operation) -> Option<(u32, Seen)> {
        let is_second_half = self.operations.len() as u32 > self.shape.operations / 2;
        if self.stale_done || !is_second_half || operation.kind != Kind::Get {
            return None;
        }
        let acknowledged = |row: &&Row| {
            let maker = &self.operations[row.maker as usize];
            maker.returned != UNKNOWN && maker.returned < operation.call
        };
        let row = self.rows[operation.key as usize].iter().rev().find(acknowledged)?;
        self.stale_done = true;
        Some((row.revision - 1, row.before))
    }

    /// Lets an operation return to its client, which pauses before the next call.
    fn answer(&mut self, number: u32, client: u32) {
        self.rank += 1;
        self.operations[number as usize].returned = self.rank;
        let at = self.wait(0.1);
        self.add(at, Event::Call(client));
    }

    /// The history of all operations.
    fn history(&mut self) -> History {
        let mut history = History::new(1);
        for operation in std::mem::take(&mut self.operations) {
            if !operation.is_wide() {
                history.push(operation).expect("a simulated operation is valid");
                continue;
            }
            let Operation { call, returned, revision, .. } = operation;
            let wide = self.wide[operation.value as usize].clone();
            history
                .push_wide(wide.at(revision).during(call, returned))
                .expect("a simulated operation is valid");
        }
        history
    }
}
