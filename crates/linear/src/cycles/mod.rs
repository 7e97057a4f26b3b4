//! Judges transactions that append to lists and read them: whether they are *strictly serializable*, that is,
//! whether some order of them explains all reads and respects time.
//!
//! The idea is Elle's (Kingsbury and Alvaro, VLDB 2020): a read of a whole list shows in which order its
//! elements were appended. So the order of every key's versions is known, and with it which transaction depends
//! on which:
//!
//! - *ww*: a transaction appended directly after what another transaction had appended;
//! - *wr*: a transaction read a list whose last element another transaction had appended;
//! - *rw*: a transaction read a list to which another transaction appended next;
//! - *real time*: a transaction was answered before another transaction was called.
//!
//! If no value is appended to a key twice, this is exact: there is such an order exactly if there is no anomaly
//! (a read that is wrong in any order) and no cycle of dependencies. A transaction of unknown outcome counts as
//! *happened* if a transaction that happened read one of its values. Otherwise it can be left out.
//!
//! ```
//! use linear::Outcome;
//! use linear::cycles::{Step, Transaction, Verdict, check};
//!
//! // Write skew: each transaction reads what the other has not written yet.
//! let answered = Outcome::Answered { output: (), at: 9 };
//! let skew = |reads, appends| Transaction {
//!     client: 1,
//!     call: 0,
//!     outcome: answered.clone(),
//!     steps: vec![Step::Read(reads, Some(vec![])), Step::Append(appends, 1)],
//! };
//! let Verdict::Cycle(edges) = check(&[skew("x", "y"), skew("y", "x")])? else { panic!("no cycle") };
//! assert_eq!(edges[0].sentence, "transaction 0 of client 1 read \"x\" without what transaction 1 of client 1 appended");
//! # Ok::<(), linear::Invalid>(())
//! ```
//!
//! # What is not checked
//!
//! Weaker levels of isolation: every cycle is a violation, whatever the kinds of its dependencies. Anything
//! other than appends and reads of whole lists. Whether a client's own transactions overlap. All times must
//! come from one clock; transactions with equal times can be in either order.
//!
//! Architecture invariant: of the rest of the crate, this module uses only [`Outcome`] and [`Invalid`].

mod graph;
pub mod registers;
mod versions;

use std::fmt::Debug;
use std::hash::Hash;

use crate::history::{Invalid, Outcome, check_times};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<K, V> {
    /// Appends a value to the list of a key. No value may be appended to one key twice.
    Append(K, V),
    /// Reads the whole list of a key; `None` if the answer is not known.
    Read(K, Option<Vec<V>>),
}

/// Steps that should take effect at once. Verdicts name transactions by their index, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<K, V> {
    /// Who called it. Used in sentences only.
    pub client: u32,
    /// When it was called.
    pub call: u64,
    /// How it ended. If it was answered, it committed: all of it took effect at one point between its call and
    /// the answer.
    pub outcome: Outcome<()>,
    /// What it did, in its own order.
    pub steps: Vec<Step<K, V>>,
}

/// Whether the transactions are strictly serializable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are. This is a serial order that respects time. Transactions that are not in it did not take effect.
    Serializable(Vec<u32>),
    /// They are not, because no order can explain these anomalies. The check did not look for cycles.
    Anomalies(Vec<Anomaly>),
    /// They are not, because of this cycle. Each edge begins where the previous one ends. It is a shortest cycle
    /// through one of the first 256 transactions of a strongly connected component of the graph.
    Cycle(Vec<Edge>),
}

/// Something that is wrong in any order of the transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anomaly {
    /// What is wrong.
    pub kind: AnomalyKind,
    /// The transactions involved, beginning with the one that saw it.
    pub transactions: Vec<u32>,
    /// The same in words.
    pub sentence: String,
}

/// Kinds of [`Anomaly`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// A read does not fit the transaction's own steps before it.
    Internal,
    /// A value of a failed transaction was read.
    AbortedRead,
    /// A value was read that nobody appended.
    Unwritten,
    /// A list was read in the middle of another transaction's appends.
    IntermediateRead,
    /// A list holds a value twice.
    DuplicateElement,
    /// Of two reads of a key, neither is a prefix of the other.
    IncompatibleOrders,
    /// Some of what a transaction appended to a key is missing, or is not in one piece.
    LostAppend,
    /// The same value was appended to a key twice. This is no fault of the system: this check cannot judge such
    /// a history.
    AppendedTwice,
}

/// One dependency: `from` comes before `to` in every serial order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
pub enum EdgeKind {
    /// `to` appended after what `from` had appended.
    WriteWrite,
    /// `to` read what `from` had appended.
    WriteRead,
    /// `from` read a list without what `to` appended.
    ReadWrite,
    /// `from` was answered before `to` was called.
    RealTime,
}

/// Judges whether the transactions are strictly serializable.
///
/// # Errors
///
/// If a transaction returns before its call, or there are too many.
pub fn check<K, V>(transactions: &[Transaction<K, V>]) -> Result<Verdict, Invalid>
where
    K: Clone + Eq + Hash + Debug,
    V: Clone + Eq + Hash + Debug,
{
    if transactions.len() > crate::History::<(), ()>::LENGTH_MAX {
        return Err(Invalid::TooManyOperations);
    }
    for (index, transaction) in (0..).zip(transactions) {
        check_times(index, transaction.call, answered_at(transaction))?;
    }
    let versions = match versions::Versions::read(transactions) {
        Ok(versions) => versions,
        Err(anomalies) => return Ok(Verdict::Anomalies(anomalies)),
    };
    let dependencies = versions.dependencies();
    let spans: Vec<Span> =
        transactions.iter().map(|one| Span { call: one.call, answered: answered_at(one) }).collect();
    Ok(match graph::order_or_cycle(&spans, &versions.happened, &dependencies) {
        Ok(order) => Verdict::Serializable(order),
        Err(cycle) => Verdict::Cycle(cycle.into_iter().map(|dependency| versions.edge(dependency)).collect()),
    })
}

/// When a transaction that committed was answered.
fn answered_at<K, V>(transaction: &Transaction<K, V>) -> Option<u64> {
    match transaction.outcome {
        Outcome::Answered { at, .. } => Some(at),
        Outcome::Failed { .. } | Outcome::Unknown => None,
    }
}

/// When a transaction was called, and when it was answered if it committed.
#[derive(Clone, Copy, Debug)]
struct Span {
    call: u64,
    answered: Option<u64>,
}

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Because of what they did to the key with this number.
    Key(EdgeKind, u32),
    /// Because of their times.
    Time,
}

/// A dependency between two transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dependency {
    /// The earlier one.
    from: u32,
    /// The later one.
    to: u32,
    /// Why.
    link: Link,
}
