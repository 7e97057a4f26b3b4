//! Jepsen histories: as EDN, as JSON, and as the lines of `history.txt` and `jepsen.log`.
//!
//! A file is a vector or a list of maps, or maps one after the other. Each is an event such as
//! `{:type :invoke, :f :read, :value nil, :process 0, :time 123, :index 0}`. In JSON an event is
//! `{"type": "invoke", "f": "read", "value": null, "process": 0}`, in an array or alone. In `history.txt` it is a
//! line `0 :invoke :read nil` with tabs; in `jepsen.log` such a line follows `jepsen.util: `, and other lines are
//! skipped. [`Syntax`] names them.
//!
//! The functions in the file decide the model:
//!
//! | `:f` | model |
//! |---|---|
//! | `:read`, `:write` | register, nil at first |
//! | also `:cas`, its value `[old new]` | cas-register, nil at first |
//! | the same, each value a `[version value]`, nil where a call does not know it | versioned-register, nil at version 0 |
//! | `:add`, `:read` of all elements | set |
//! | `:add`, `:read` of a number | counter, 0 at first |
//! | `:enqueue`, `:dequeue`, `:drain` | queue |
//! | `:acquire`, `:release` | lock |
//! | `:transfer`, its value `{:from 1 :to 2 :amount 3}`, `:read` of a map of balances | bank |
//! | `:write`, `:watch`, `:final-watch`, their value a map with a `:log` | list: what watchers saw is part of what was written, in one order |
//! | `:txn`, its value `[[:append 1 2] [:r 1 nil]]` | list-append transactions, as [`Transaction`]s |
//! | `:txn`, its value `[[:w 1 2] [:r 1 nil]]` | register transactions, as [`RegisterTransaction`]s |
//! | `:get`, `:put`, `:append`, with a `:key` | key-value, as Porcupine publishes them |
//!
//! If the first value is a `[key value]` (for a `:cas`: `[key [old new]]`), all values must be. This does not
//! apply to transactions, key-value stores and watches.
//!
//! An operation ends with `:ok` and its answer; with `:fail`, which means that it had no effect and says nothing
//! about the state (also for a compare-and-set, as in Knossos); or with `:info`, which means that its outcome is
//! unknown. The outcome of an operation that never ends is unknown too. The time of an event is its place in the
//! file, because only the order of events is certain. `:time` is not read, and `:index` must ascend. Events of
//! `:process :nemesis` are skipped.
//!
//! - A `:drain` that returns several elements counts as that many dequeues. If no other event came between its call and
//!   its end, they left in that order; otherwise only the time of the drain bounds each.
//! - A lock's owners are the processes, if each releases only what it acquired; otherwise, as in Knossos' mutex, any
//!   process may release.
//! - A watch may lag, so its `:log` counts as a read of the list as it was at some time before the watch ended. The
//!   logs of one process continue each other. The `:revision` is not judged.
//!
//! ```
//! let file = b"{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}";
//! let histories::edn::Jepsen::Recorded(recorded) = histories::edn::read("one.edn", file)? else { panic!() };
//! assert_eq!(recorded.len(), 1);
//! # Ok::<(), histories::Error>(())
//! ```

mod drains;
mod events;
mod json;
mod lines;
mod models;
pub mod parse;
mod read;
mod store;
mod transactions;
mod watches;

pub use linear::cycles::{Step, registers};
pub use read::{read, read_as};

pub(crate) use lines::looks_like_event;

use crate::recorded::{Recorded, RegisterValue, Value};

/// How the events of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// As EDN.
    Edn,
    /// As JSON.
    Json,
    /// As lines of `history.txt` or `jepsen.log`.
    Lines,
}

/// The content of a Jepsen history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jepsen {
    /// A history for one of the models of `linear`.
    Recorded(Recorded),
    /// Transactions that append to lists and read them, for [`linear::cycles`].
    ListAppend(Vec<Transaction>),
    /// Transactions that write registers and read them, for [`linear::cycles::registers`].
    Registers(Vec<RegisterTransaction>),
}

/// A transaction that appends to lists and reads them. Its client is Jepsen's process, and its times are places in
/// the file. A read of an answered transaction that shows nil has read the empty list.
pub type Transaction = linear::cycles::Transaction<Value, Value>;

/// A transaction that writes registers and reads them, as [`Transaction`].
pub type RegisterTransaction = registers::Transaction<Value, RegisterValue>;

/// A history, and how Jepsen numbers its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// The history.
    pub history: Jepsen,
    /// By operation: the `:index` of its events.
    pub indices: Vec<Indices>,
    /// Sentences about problems that the test's clients reported themselves, such as events in the wrong order.
    pub reported: Vec<String>,
}

/// The `:index` of the events of an operation, if they have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indices {
    /// The `:index` of its call.
    pub invoke: Option<i64>,
    /// The `:index` of the event that ended it.
    pub end: Option<i64>,
}
