//! Jepsen histories in EDN.
//!
//! A file is a vector or a list of maps, or maps one after the other, each an event such as
//! `{:type :invoke, :f :read, :value nil, :process 0, :time 123, :index 0}`. The functions that come in it
//! decide the model:
//!
//! | `:f` | model |
//! |---|---|
//! | `:read`, `:write` | register, first nil |
//! | also `:cas`, its value `[old new]` | cas-register, first nil |
//! | `:add`, `:read` | set |
//! | `:enqueue`, `:dequeue` | queue |
//! | `:txn`, its value `[[:append 1 2] [:r 1 nil]]` | list-append transactions, as [`Transaction`]s |
//! | `:get`, `:put`, `:append`, with a `:key` | key-value, as Porcupine publishes them |
//!
//! Values are `[key value]` throughout if the first one is (of a `:cas`: `[key [old new]]`), but for
//! transactions and key-value stores.
//!
//! What ends an operation: `:ok` with its answer; `:fail`, which took no effect and says nothing, of a
//! compare-and-set too, as Knossos has it; `:info`, whose outcome is unknown, as of what never ends.
//! The time of an event is its place in the file, because of all that a history tells only its order is
//! certain; `:time` is not read, and an `:index` has to ascend. Events of `:process :nemesis` are skipped.
//!
//! Not read: `:drain` of a queue, and transactions on registers (`:w`).
//!
//! ```
//! let file = b"{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}";
//! let histories::edn::Jepsen::Recorded(recorded) = histories::edn::read("one.edn", file)? else { panic!() };
//! assert_eq!(recorded.len(), 1);
//! # Ok::<(), histories::Error>(())
//! ```

mod events;
mod models;
pub mod parse;
mod read;

pub use read::read;

use linear::Outcome;

use crate::recorded::{Recorded, Value};

/// What a Jepsen history is a history of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jepsen {
    /// Of one of the models of `linear`.
    Recorded(Recorded),
    /// Of transactions that append to lists and read them, for a checker of isolation.
    ListAppend(Vec<Transaction>),
}

/// A transaction that appends to lists and reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who asked for it: Jepsen's process.
    pub client: u32,
    /// When, as a place in the file.
    pub call: u64,
    /// How it ended.
    pub outcome: Outcome<()>,
    /// What it did. Of one that was answered, its reads hold what they saw; else `None`.
    pub ops: Vec<ListOp>,
}

/// A part of a [`Transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListOp {
    /// An element is put behind all others of a list.
    Append(Value, Value),
    /// A list is read. `Some` empty list is also what reads as nil once answered.
    Read(Value, Option<Vec<Value>>),
}
