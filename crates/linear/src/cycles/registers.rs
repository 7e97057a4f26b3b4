//! Judges whether transactions over several registers are strictly serializable, from the order in which their
//! reads show that values were written.
//!
//! If no value is written to a register twice, a read shows which transaction it comes after. The order in which
//! the values of one register followed each other is only partly known, from these rules:
//!
//! - the initial value of a register came before everything that was written to it;
//! - a transaction that read a value and wrote the register put its own value directly after that one;
//! - a transaction that was called after another had been answered wrote after it; so every transaction that read
//!   what the earlier one wrote came before the later one;
//! - if a write had been answered before the call of a transaction that then read the value of another write, the
//!   write of the value that was read came second.
//!
//! A cycle of these dependencies and of time is a violation. If there is no cycle, the check tries to build a serial
//! order in which every read is right, which proves the opposite. If it finds neither, the verdict is
//! [`Verdict::Unclear`], and a search must decide (with [`crate::models::transactions`]).
//!
//! ```
//! use linear::Outcome;
//! use linear::cycles::registers::{Step, Transaction, Verdict, check};
//!
//! // A lost update: both transactions read what was there at first, and both wrote.
//! let update = |client, value| Transaction {
//!     client,
//!     call: 0,
//!     outcome: Outcome::Answered { output: (), at: 9 },
//!     steps: vec![Step::Read("x", Some(0)), Step::Write("x", value)],
//! };
//! let verdict = check(&[update(1, 1), update(2, 2)], &0)?;
//! assert!(matches!(verdict, Verdict::Cycle(edges) if edges.len() == 2));
//! # Ok::<(), linear::Invalid>(())
//! ```

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use super::{Anomaly, AnomalyKind, Dependency, Edge, EdgeKind, Link, Span, graph};
use crate::history::{Invalid, Outcome, check_times};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<K, V> {
    /// Sets the register of a key.
    Write(K, V),
    /// Reads the register of a key; `None` if the answer is not known.
    Read(K, Option<V>),
}

/// Steps that should take effect at once: like [`super::Transaction`], for registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<K, V> {
    /// Who called it. Used in sentences only.
    pub client: u32,
    /// When it was called.
    pub call: u64,
    /// How it ended.
    pub outcome: Outcome<()>,
    /// What it did, in its own order.
    pub steps: Vec<Step<K, V>>,
}

/// Whether the transactions are strictly serializable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are. This is a serial order that respects time. Transactions that are not in it did not take effect.
    Serializable(Vec<u32>),
    /// They are not, because no order can explain these.
    Anomalies(Vec<Anomaly>),
    /// They are not, because of this cycle. Each edge begins where the previous one ends.
    Cycle(Vec<Edge>),
    /// The check cannot tell, for this reason.
    Unclear(String),
}

/// Judges whether the transactions are strictly serializable, if every register holds `initial` at first.
///
/// # Errors
///
/// If a transaction returns before its call, or there are too many.
pub fn check<K, V>(transactions: &[Transaction<K, V>], initial: &V) -> Result<Verdict, Invalid>
where
    K: Clone + Eq + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    if transactions.len() > crate::History::<(), ()>::LENGTH_MAX {
        return Err(Invalid::TooManyOperations);
    }
    let spans: Vec<Span> = transactions.iter().map(span).collect();
    for (index, span) in (0..).zip(&spans) {
        check_times(index, span.call, span.answered)?;
    }
    let mut registers = Registers::new(transactions, initial, spans);
    if let Some(twice) = registers.writes() {
        return Ok(Verdict::Unclear(twice));
    }
    let anomalies = registers.reads();
    if !anomalies.is_empty() {
        return Ok(Verdict::Anomalies(anomalies));
    }
    let dependencies = registers.dependencies();
    if let Err(cycle) = graph::order_or_cycle(&registers.spans, &registers.happened, &dependencies) {
        return Ok(Verdict::Cycle(cycle.into_iter().map(|one| registers.edge(one)).collect()));
    }
    Ok(match registers.order(&dependencies) {
        Some(order) => Verdict::Serializable(order),
        None => Verdict::Unclear("what was read does not show in which order values were written".to_owned()),
    })
}

/// The call of a transaction, and its answer.
fn span<K, V>(transaction: &Transaction<K, V>) -> Span {
    let answered = match transaction.outcome {
        Outcome::Answered { at, .. } => Some(at),
        Outcome::Failed { .. } | Outcome::Unknown => None,
    };
    Span { call: transaction.call, answered }
}

/// What is known of one register.
struct Register<'a, K, V> {
    key: &'a K,
    /// By value: its number among the versions.
    numbers: HashMap<&'a V, usize>,
    /// All values that the register had. Version 0 is its initial value.
    versions: Vec<Version>,
}

/// A value of a register.
#[derive(Default)]
struct Version {
    /// The transaction that wrote it; `None` if it was there at first.
    writer: Option<u32>,
    /// Whether its transaction wrote another value to the same register afterwards.
    overwritten: bool,
    /// The transactions that read it and did not write it.
    readers: Vec<u32>,
}

/// What a transaction did to one register.
#[derive(Clone, Copy)]
struct Touched {
    register: usize,
    /// The version that it read before it wrote the register itself. Another transaction wrote that version, or it
    /// is the initial one.
    read: Option<usize>,
    /// The version that it left behind: its last write.
    wrote: Option<usize>,
}

/// All registers, and what the transactions did to them.
struct Registers<'a, K, V> {
    transactions: &'a [Transaction<K, V>],
    initial: &'a V,
    /// By transaction: its call and answer.
    spans: Vec<Span>,
    /// By key: the index of its register in `all`.
    numbers: HashMap<&'a K, usize>,
    all: Vec<Register<'a, K, V>>,
    /// By transaction: whether it was answered, or is of unknown outcome and another one read what it wrote.
    happened: Vec<bool>,
    /// By transaction: what it did to each register. Empty if it did not happen.
    touched: Vec<Vec<Touched>>,
}

impl<'a, K, V> Registers<'a, K, V>
where
    K: Clone + Eq + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    fn new(transactions: &'a [Transaction<K, V>], initial: &'a V, spans: Vec<Span>) -> Self {
        let happened = spans.iter().map(|span| span.answered.is_some()).collect();
        let touched = vec![Vec::new(); transactions.len()];
        let mut registers = Registers {
            transactions,
            initial,
            spans,
            numbers: HashMap::new(),
            all: Vec::new(),
            happened,
            touched,
        };
        for step in transactions.iter().flat_map(|transaction| &transaction.steps) {
            let (Step::Write(key, _) | Step::Read(key, _)) = step;
            if !registers.numbers.contains_key(key) {
                registers.numbers.insert(key, registers.all.len());
                let (numbers, versions) = (HashMap::from([(initial, 0)]), vec![Version::default()]);
                registers.all.push(Register { key, numbers, versions });
            }
        }
        registers
    }

    /// Collects all values that were written. If one was written twice, returns a sentence that says so.
    fn writes(&mut self) -> Option<String> {
        for (index, transaction) in (0..).zip(self.transactions) {
            let mut own: HashMap<usize, usize> = HashMap::new();
            for step in &transaction.steps {
                let Step::Write(key, value) = step else { continue };
                let number = self.numbers[key];
                let register = &mut self.all[number];
                if register.numbers.contains_key(value) {
                    let why = if value == self.initial {
                        "is what it held at first, too"
                    } else {
                        "is written twice"
                    };
                    return Some(format!("{value:?}, written to {key:?}, {why}"));
                }
                let version = register.versions.len();
                register.numbers.insert(value, version);
                register.versions.push(Version { writer: Some(index), ..Version::default() });
                if let Some(before) = own.insert(number, version) {
                    register.versions[before].overwritten = true;
                }
            }
        }
        None
    }

    /// Finds the write that each read saw. Returns the reads for which there is none, or a wrong one.
    fn reads(&mut self) -> Vec<Anomaly> {
        let mut anomalies = Vec::new();
        for index in 0..self.transactions.len() as u32 {
            if self.spans[index as usize].answered.is_some() {
                self.reads_of(index, &mut anomalies);
            }
        }
        // Only the writes of a transaction of unknown outcome are known.
        for index in 0..self.transactions.len() as u32 {
            if self.happened[index as usize] && self.spans[index as usize].answered.is_none() {
                self.touch(index);
            }
        }
        anomalies
    }

    /// Records which versions a transaction left in the registers that it wrote.
    fn touch(&mut self, index: u32) {
        for step in &self.transactions[index as usize].steps {
            if let Step::Write(key, value) = step {
                let register = self.numbers[key];
                let version = self.all[register].numbers[value];
                let touched = &mut self.touched[index as usize];
                match touched.iter_mut().find(|one| one.register == register) {
                    Some(one) => one.wrote = Some(version),
                    None => touched.push(Touched { register, read: None, wrote: Some(version) }),
                }
            }
        }
    }

    /// Checks the reads of one answered transaction, and records what it did to each register.
    fn reads_of(&mut self, index: u32, anomalies: &mut Vec<Anomaly>) {
        let who = self.name(index);
        // By register: the value that the transaction last read or wrote, so that it must read it again.
        let mut known: HashMap<usize, &V> = HashMap::new();
        for step in &self.transactions[index as usize].steps {
            match step {
                Step::Read(_, None) => {}
                Step::Write(key, value) => {
                    known.insert(self.numbers[key], value);
                }
                Step::Read(key, Some(seen)) => {
                    let register = self.numbers[key];
                    if let Some(before) = known.insert(register, seen) {
                        if before != seen {
                            let sentence = format!(
                                "{who} read {seen:?} from {key:?}, which does not fit its own earlier steps"
                            );
                            let kind = AnomalyKind::Internal;
                            anomalies.push(Anomaly { kind, transactions: vec![index], sentence });
                        }
                        continue;
                    }
                    match self.version(index, register, seen) {
                        Ok(version) => {
                            let one = Touched { register, read: Some(version), wrote: None };
                            self.touched[index as usize].push(one);
                            self.all[register].versions[version].readers.push(index);
                        }
                        Err(anomaly) => anomalies.push(anomaly),
                    }
                }
            }
        }
        self.touch(index);
    }

    /// Which version of a register a transaction read, if another transaction wrote that one or it is the initial one.
    /// The error is what is wrong with the read.
    fn version(&mut self, index: u32, register: usize, seen: &V) -> Result<usize, Anomaly> {
        let key = self.all[register].key;
        let who = self.name(index);
        let wrong = |kind, others: &[u32], what: String| {
            let transactions = [&[index], others].concat();
            Err(Anomaly { kind, transactions, sentence: format!("{who} read {seen:?} from {key:?}{what}") })
        };
        let Some(&number) = self.all[register].numbers.get(seen) else {
            return wrong(AnomalyKind::Unwritten, &[], ", which nobody wrote".to_owned());
        };
        let version = &self.all[register].versions[number];
        let Some(writer) = version.writer else { return Ok(number) };
        if writer == index {
            return wrong(AnomalyKind::Internal, &[], " before it wrote it".to_owned());
        }
        let name = self.name(writer);
        match self.transactions[writer as usize].outcome {
            Outcome::Failed { .. } => {
                return wrong(
                    AnomalyKind::AbortedRead,
                    &[writer],
                    format!(", but {name} was reported as failed"),
                );
            }
            Outcome::Unknown => self.happened[writer as usize] = true,
            Outcome::Answered { .. } => {}
        }
        if self.all[register].versions[number].overwritten {
            let what = format!(", which {name} replaced itself");
            return wrong(AnomalyKind::IntermediateRead, &[writer], what);
        }
        Ok(number)
    }

    /// All dependencies that follow from registers.
    fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        for number in 0..self.all.len() {
            self.dependencies_of(number, &mut dependencies);
        }
        dependencies
    }

    /// Adds the dependencies that follow from one register.
    fn dependencies_of(&self, number: usize, dependencies: &mut Vec<Dependency>) {
        let mut add = |kind, from: u32, to: u32| {
            if from != to {
                dependencies.push(Dependency { from, to, link: Link::Key(kind, number as u32) });
            }
        };
        let register = &self.all[number];
        let writers = Writers::new(self, number);
        for version in &register.versions {
            for &reader in &version.readers {
                let Some(writer) = version.writer else {
                    // A read of the initial value came before all writers. Time already orders most of them after the
                    // first ones, so edges to the first ones are enough.
                    for &later in writers.after(None) {
                        add(EdgeKind::ReadWrite, reader, later);
                    }
                    continue;
                };
                add(EdgeKind::WriteRead, writer, reader);
                if let Some(at) = self.spans[writer as usize].answered {
                    for &later in writers.after(Some(at)) {
                        add(EdgeKind::ReadWrite, reader, later);
                    }
                }
                for &earlier in writers.before(self.spans[reader as usize].call) {
                    add(EdgeKind::WriteWrite, earlier, writer);
                }
            }
            // A transaction that read a value and wrote the register replaced that value, so it came after all
            // other readers of it.
            let wrote = |reader: &u32| self.wrote(*reader, number);
            for &ender in version.readers.iter().filter(|reader| wrote(reader)) {
                for &reader in &version.readers {
                    add(EdgeKind::ReadWrite, reader, ender);
                }
            }
        }
    }

    /// Whether a transaction wrote a register.
    fn wrote(&self, index: u32, register: usize) -> bool {
        self.touched[index as usize].iter().any(|one| one.register == register && one.wrote.is_some())
    }

    /// Tries to build an order in which every read is right, from the front.
    fn order(&self, dependencies: &[Dependency]) -> Option<Vec<u32>> {
        // By register: the version that it holds now.
        let mut held = vec![0_usize; self.all.len()];
        // By register and version: how many of the version's readers are not in the order yet.
        let mut unread: Vec<Vec<usize>> = Vec::with_capacity(self.all.len());
        for register in &self.all {
            unread.push(register.versions.iter().map(|version| version.readers.len()).collect());
        }
        graph::order_chosen(&self.spans, &self.happened, dependencies, |next| {
            let touched = &self.touched[next as usize];
            let right = touched.iter().all(|one| {
                let now = held[one.register];
                let left = unread[one.register][now];
                // It may replace a version only after all other readers of that version.
                one.read.is_none_or(|read| read == now)
                    && (one.wrote.is_none() || left == usize::from(one.read.is_some()))
            });
            if right {
                for one in touched {
                    if let Some(read) = one.read {
                        unread[one.register][read] -= 1;
                    }
                    held[one.register] = one.wrote.unwrap_or(held[one.register]);
                }
            }
            right
        })
    }

    /// Puts a dependency into the form that the verdict reports, with a sentence.
    fn edge(&self, Dependency { from, to, link }: Dependency) -> Edge {
        let (first, second) = (self.name(from), self.name(to));
        let (kind, sentence) = match link {
            Link::Time => {
                let called = self.spans[to as usize].call;
                let at = self.spans[from as usize].answered.unwrap_or(u64::MAX);
                let sentence =
                    format!("{first} was answered at {at}, before {second} was called at {called}");
                (EdgeKind::RealTime, sentence)
            }
            Link::Key(kind, number) => {
                let key = self.all[number as usize].key;
                let sentence = match kind {
                    EdgeKind::WriteRead => format!("{second} read from {key:?} what {first} had written"),
                    EdgeKind::ReadWrite => format!("{first} read {key:?} before {second} wrote it"),
                    EdgeKind::WriteWrite | EdgeKind::RealTime => {
                        format!(
                            "what {first} wrote to {key:?} was replaced by what {second} wrote, as a later read shows"
                        )
                    }
                };
                (kind, sentence)
            }
        };
        Edge { from, to, kind, sentence }
    }

    /// How sentences name a transaction.
    fn name(&self, index: u32) -> String {
        format!("transaction {index} of client {}", self.transactions[index as usize].client)
    }
}

/// The transactions that wrote a register and happened, sorted by time. The first three lists have the same order, and
/// so have the last three.
struct Writers {
    /// All of them, sorted by call.
    by_call: Vec<u32>,
    /// Their calls.
    calls: Vec<u64>,
    /// For each place in `by_call`: the earliest answer of the transactions at or after it.
    first_answer: Vec<u64>,
    /// Those that were answered, sorted by answer.
    by_answer: Vec<u32>,
    /// The times of their answers.
    answers: Vec<u64>,
    /// For each place in `by_answer`: the latest call of the transactions at or before it.
    last_call: Vec<u64>,
}

impl Writers {
    fn new<K, V>(registers: &Registers<'_, K, V>, number: usize) -> Writers
    where
        K: Clone + Eq + Hash + Debug,
        V: Clone + Eq + Hash + Debug,
    {
        let spans = &registers.spans;
        let of = |index: u32| spans[index as usize];
        let versions = registers.all[number].versions.iter();
        let mut by_call: Vec<u32> = versions
            .filter(|version| !version.overwritten)
            .filter_map(|version| version.writer)
            .filter(|&writer| registers.happened[writer as usize])
            .collect();
        by_call.sort_by_key(|&index| of(index).call);
        let mut by_answer = by_call.clone();
        by_answer.retain(|&index| of(index).answered.is_some());
        by_answer.sort_by_key(|&index| of(index).answered);
        let mut first_answer: Vec<u64> =
            by_call.iter().map(|&index| of(index).answered.unwrap_or(u64::MAX)).collect();
        for at in (1..first_answer.len()).rev() {
            first_answer[at - 1] = first_answer[at - 1].min(first_answer[at]);
        }
        let mut last_call: Vec<u64> = by_answer.iter().map(|&index| of(index).call).collect();
        for at in 1..last_call.len() {
            last_call[at] = last_call[at].max(last_call[at - 1]);
        }
        let calls = by_call.iter().map(|&index| of(index).call).collect();
        let answers = by_answer.iter().map(|&index| of(index).answered.unwrap_or(u64::MAX)).collect();
        Writers { by_call, calls, first_answer, by_answer, answers, last_call }
    }

    /// The writers that were called after a time (all for `None`), except those that were called after another one of
    /// them was answered. Time orders the rest, so they need no edges.
    fn after(&self, answered: Option<u64>) -> &[u32] {
        let from = answered.map_or(0, |at| self.calls.partition_point(|&call| call <= at));
        let Some(&first) = self.first_answer.get(from) else { return &[] };
        let to = self.calls.partition_point(|&call| call <= first);
        &self.by_call[from..to.max(from)]
    }

    /// The writers that were answered before a call, except those that were answered before another one of them was
    /// called. Time orders the rest, so they need no edges.
    fn before(&self, call: u64) -> &[u32] {
        let to = self.answers.partition_point(|&at| at < call);
        let Some(last) = to.checked_sub(1).map(|last| self.last_call[last]) else { return &[] };
        let from = self.answers.partition_point(|&at| at < last);
        &self.by_answer[from.min(to)..to]
    }
}
