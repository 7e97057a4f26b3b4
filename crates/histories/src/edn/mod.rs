//! Jepsen histories in EDN.
//!
//! A file is a vector or a list of maps, or maps one after the other. Each is an event such as
//! `{:type :invoke, :f :read, :value nil, :process 0, :time 123, :index 0}`. The functions in the file decide the
//! model:
//!
//! | `:f` | model |
//! |---|---|
//! | `:read`, `:write` | register, nil at first |
//! | also `:cas`, its value `[old new]` | cas-register, nil at first |
//! | `:add`, `:read` | set |
//! | `:enqueue`, `:dequeue` | queue |
//! | `:txn`, its value `[[:append 1 2] [:r 1 nil]]` | list-append transactions, as [`Transaction`]s |
//! | `:get`, `:put`, `:append`, with a `:key` | key-value, as Porcupine publishes them |
//!
//! If the first value is a `[key value]` (for a `:cas`: `[key [old new]]`), all values must be. This does not
//! apply to transactions and key-value stores.
//!
//! An operation ends with `:ok` and its answer; with `:fail`, which means that it had no effect and says nothing
//! about the state (also for a compare-and-set, as in Knossos); or with `:info`, which means that its outcome is
//! unknown. The outcome of an operation that never ends is unknown too. The time of an event is its place in the
//! file, because only the order of events is certain. `:time` is not read, and `:index` must ascend. Events of
//! `:process :nemesis` are skipped.
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

pub use linear::cycles::Step;
pub use read::read;

use crate::recorded::{Recorded, Value};

/// The content of a Jepsen history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jepsen {
    /// A history for one of the models of `linear`.
    Recorded(Recorded),
    /// Transactions that append to lists and read them, for [`linear::cycles`].
    ListAppend(Vec<Transaction>),
}

/// A transaction that appends to lists and reads them. Its client is Jepsen's process, and its times are places in
/// the file. A read of an answered transaction that shows nil has read the empty list.
pub type Transaction = linear::cycles::Transaction<Value, Value>;
