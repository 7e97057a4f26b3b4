//! Reports of etcd's robustness tests: what clients asked and were answered, one `operations.json` a client,
//! and what watchers saw, in `watch.json`. Facts from etcd-io/etcd, `tests/robustness/report/client.go` and
//! `tests/robustness/model/{types,watch}.go`.
//!
//! Both are one JSON object a line, as Go writes them. Every version of the format is read that has these
//! names; a name that none has is a mistake. A field left out, or `null`, is what Go would make of it:
//! nothing, 0 or the empty text.
//!
//! Not checked: whether answers fit their questions. A value of twenty bytes or more is known only by its hash.

mod read;
mod watch;

pub use read::{read, read_from};
pub use watch::{Event, Previous, Watch, WatchRequest, WatchResponse, read_watches};

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The stream it belongs to: a client takes a new one after each operation of unknown outcome.
    pub client: i64,
    /// What was asked.
    pub request: Request,
    /// When, in nanoseconds of the run.
    pub call: i64,
    /// What came of it.
    pub response: Response,
    /// When it returned. Of an operation that failed, what the report's writer chose, often 0.
    pub returned: i64,
}

/// What was asked. A put and a delete are transactions without conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// For keys.
    Range {
        /// Which.
        range: Range,
        /// As of which revision, 0 for the newest.
        revision: i64,
    },
    /// For one of two lists of operations at once.
    Txn {
        /// All must hold for `success`.
        conditions: Vec<Condition>,
        /// What is done if they do.
        success: Vec<Op>,
        /// What is done if one does not.
        failure: Vec<Op>,
    },
    /// For a lease of this number.
    LeaseGrant(i64),
    /// To end the lease of this number.
    LeaseRevoke(i64),
    /// To defragment the member's disk.
    Defragment,
    /// To forget what is older than this revision.
    Compact(i64),
}

/// Keys from `start` up to `end`, or `start` alone if `end` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub start: String,
    /// The first behind them.
    pub end: String,
    /// How many at most, 0 for all.
    pub limit: i64,
}

/// What has to hold of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The key.
    pub key: String,
    /// The revision of its last change, 0 if it is not there.
    pub expected_revision: i64,
    /// How often it was changed since it was created. 0 also where the report is too old to say.
    pub expected_version: i64,
}

/// A part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// For keys.
    Range(Range),
    /// For a key to hold a value.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Value,
        /// The lease it hangs on, 0 for none.
        lease: i64,
    },
    /// For a key to be gone.
    Delete(String),
}

/// A value, or of a long one its 32-bit FNV-1a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The value itself. Empty also where there is none.
    Text(String),
    /// The hash.
    Hash(u32),
}

impl Default for Value {
    fn default() -> Self {
        Value::Text(String::new())
    }
}

/// What came of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The answer, if there was one.
    pub answer: Option<Answer>,
    /// The revision of the store by the answer's header, 0 without one. -1 marks a read that need not be
    /// linearizable.
    pub revision: i64,
    /// The client saw no answer but the operation is known to have been stored. The revision is 0 if unknown.
    pub persisted: Option<i64>,
    /// The error that left the outcome unknown, if any.
    pub error: Option<String>,
    /// An error that is itself an answer, such as that a revision is in the future.
    pub client_error: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a range.
    Range(Found),
    /// To a transaction.
    Txn {
        /// Whether a condition did not hold.
        failure: bool,
        /// An answer to each operation that was done.
        results: Vec<OpResult>,
    },
    /// To a grant: the lease. 0 in most reports.
    LeaseGrant(i64),
    /// To a revocation.
    LeaseRevoke,
    /// To a defragmentation.
    Defragment,
    /// To a compaction.
    Compact,
}

/// What a range found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The pairs, in the order they came.
    pub kvs: Vec<KeyValue>,
    /// How many there are without the limit.
    pub count: i64,
}

/// The answer to a part of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpResult {
    /// Of a range.
    pub found: Found,
    /// Of a delete: how many keys are gone.
    pub deleted: i64,
}

/// A key and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// What it holds.
    pub value: Value,
    /// The revision of its last change.
    pub mod_revision: i64,
    /// How often it was changed since it was created. 0 where the report is too old to say.
    pub version: i64,
}
