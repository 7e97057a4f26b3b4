//! Transactions over several lists: strict serializability by the cycles of their dependencies.
//!
//! The idea is Elle's (Kingsbury and Alvaro, VLDB 2020): a list that is read whole tells in which order its
//! elements were appended, so the order of every key's versions is known, and with it who depends on whom:
//!
//! - *ww*: a transaction appended right behind what another one had appended;
//! - *wr*: a transaction read a list that another one had appended to last;
//! - *rw*: a transaction read a list to which another one appended next, so it came before that one;
//! - *real time*: a transaction was committed before another one was called.
//!
//! Where no two appends to a key are of the same value, this is exact: there is a serial order in the order of
//! time exactly if there is no direct anomaly and no cycle. A transaction of unknown outcome has happened if
//! somebody who has happened read something of it, and can be left out if not.
//!
//! # What is not checked
//!
//! Weaker levels of isolation: a cycle is not told from another by the kinds of its edges. Anything but
//! appends and whole reads. Whether a client's own transactions overlap. Times must be of one clock; equal
//! times order nothing.
//!
//! Invariant: this module uses nothing of the rest of the crate.

mod graph;
mod versions;

use std::fmt::Debug;
use std::hash::Hash;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<K, V> {
    /// Puts a value behind all others of a key. No value may be appended to one key twice.
    Append(K, V),
    /// Returned the whole list of a key; `None` if what it returned is not known.
    Read(K, Option<Vec<V>>),
}

/// How a transaction ended, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it took effect at one point between its call and this time.
    Committed {
        /// When the client was told.
        at: u64,
    },
    /// None of it took effect.
    Failed,
    /// All of it took effect at one point after its call, or nothing ever does.
    Unknown,
}

/// Some steps that should happen at once. Reports name transactions by their index in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<K, V> {
    /// Who called it. Used in sentences only.
    pub client: u32,
    /// When it was called.
    pub call: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did, in its own order.
    pub ops: Vec<Step<K, V>>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is a serial order in the order of time: these transactions, all others left out.
    Serializable(Vec<u32>),
    /// What cannot be in any order. Cycles were not looked for.
    Anomalies(Vec<Anomaly>),
    /// A shortest cycle among those through one of the first 256 transactions of their component. Each edge
    /// begins where the one before ends.
    Cycle(Vec<Edge>),
}

/// Something that is wrong by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What.
    pub kind: AnomalyKind,
    /// The transactions it takes, who saw it first.
    pub transactions: Vec<u32>,
    /// The same in words.
    pub sentence: String,
}

/// Kinds of [`Anomaly`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// A read does not fit the transaction's own steps before it.
    Internal,
    /// A value of a failed transaction was read.
    AbortedRead,
    /// A value was read that nobody appended.
    Unwritten,
    /// A list was read that another transaction was not done with.
    IntermediateRead,
    /// A value stands in a list twice.
    DuplicateElement,
    /// Two reads of a key of which neither is the beginning of the other.
    IncompatibleOrders,
    /// Of what a transaction appended to a key, something is missing or does not stand together.
    LostAppend,
    /// Two appends of the same value to a key: the history is not fit for this check.
    AppendedTwice,
}

/// One dependency: `from` comes before `to` in every serial order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The earlier transaction.
    pub from: u32,
    /// The later one.
    pub to: u32,
    /// Why.
    pub kind: EdgeKind,
    /// The same in words.
    pub sentence: String,
}

/// Kinds of [`Edge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeKind {
    /// `to` appended behind what `from` had appended.
    WriteWrite,
    /// `to` read what `from` had appended.
    WriteRead,
    /// `from` read a list without what `to` appended.
    ReadWrite,
    /// `from` was committed before `to` was called.
    RealTime,
}

/// Judges whether the transactions are strictly serializable.
///
/// # Panics
///
/// If a transaction was committed before its call.
pub fn check<K, V>(transactions: &[Transaction<K, V>]) -> Verdict
where
    K: Clone + Eq + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    for (index, transaction) in transactions.iter().enumerate() {
        if let Outcome::Committed { at } = transaction.outcome {
            let call = transaction.call;
            assert!(call <= at, "transaction {index} ends at {at}, before its call at {call}: two clocks?");
        }
    }
    match versions::Versions::read(transactions) {
        Err(anomalies) => Verdict::Anomalies(anomalies),
        Ok(versions) => {
            let dependencies = versions.dependencies();
            match graph::order_or_cycle(transactions, &versions.happened, &dependencies) {
                Ok(order) => Verdict::Serializable(order),
                Err(cycle) => Verdict::Cycle(
                    cycle.into_iter().map(|(from, to, link)| versions.edge(from, to, link)).collect(),
                ),
            }
        }
    }
}

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// By a key, with its number.
    Key(EdgeKind, u32),
    Time,
}

/// The transactions `.0` and `.1`, in this order, and why.
type Dependency = (u32, u32, Link);
