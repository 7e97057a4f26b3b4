//! Reports of etcd's robustness tests: `operations.json` holds the operations of one client, `watch.json` what its
//! watchers saw. The format is taken from etcd-io/etcd, `tests/robustness/report/client.go` and
//! `tests/robustness/model/{types,watch}.go`.
//!
//! Both hold JSON objects one after another, on a line each or indented. All versions of the format that use these
//! field names are read, whatever the case of their letters, as Go does. Fields whose names no known version has are
//! skipped; a [`Reader`] lists them. A field that is missing or `null` has Go's zero value: nothing, 0 or the empty
//! text.
//!
//! Not checked: whether answers fit their requests. For a value of twenty bytes or more, only the hash is known.
//!
//! ```
//! use histories::robustness::{Answer, read};
//!
//! let file = br#"{"ClientId": 1, "Input": {"Type": "defragment", "Defragment": {}}, "Call": 5, "Output": {"Defragment": {}}, "Return": 9}"#;
//! let operations = read("operations.json", file)?;
//! assert_eq!(operations[0].response.answer, Some(Answer::Defragment));
//! # Ok::<(), histories::Error>(())
//! ```

mod fields;
mod read;
mod watch;

use fields::Unknown;
pub use read::{read, read_from};
pub use watch::{Event, Previous, Watch, WatchPart, WatchRequest, WatchResponse, read_watches};

/// Reads the files of a report, and notes the fields that it does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    unknown: Unknown,
}

impl Reader {
    /// The fields that were skipped because no known version of the report has them, by name. Each is listed once, with
    /// the place where it first occurs.
    pub fn unknown(&self) -> impl Iterator<Item = &UnknownField> {
        self.unknown.all()
    }
}

/// A field that no known version of the report has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its name.
    pub name: String,
    /// The first file that has it.
    pub file: String,
    /// The line there, from 1.
    pub line: usize,
    /// The column, in bytes, from 1.
    pub column: usize,
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client's number. A client takes a new one after each operation of unknown outcome.
    pub client: i64,
    /// The request.
    pub request: Request,
    /// When it was called, in nanoseconds since the start of the run.
    pub call: i64,
    /// How it ended.
    pub response: Response,
    /// When it returned, in nanoseconds since the start of the run. Without an answer, it is whatever the report's
    /// writer chose, often 0.
    pub returned: i64,
}

/// A request. A put and a delete are transactions without conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Reads keys.
    Range {
        /// The keys.
        range: Range,
        /// The revision to read, 0 for the newest.
        revision: i64,
    },
    /// Does one of two lists of operations at once.
    Txn {
        /// The conditions. All must hold for `success`.
        conditions: Vec<Condition>,
        /// What to do if all conditions hold.
        success: Vec<Op>,
        /// What to do if one does not hold.
        failure: Vec<Op>,
    },
    /// Grants a lease with this id.
    LeaseGrant(i64),
    /// Revokes the lease with this id.
    LeaseRevoke(i64),
    /// Defragments the member's disk.
    Defragment,
    /// Compacts up to this revision.
    Compact(i64),
    /// A request of a kind that no known version of the report has: its type.
    Other(String),
}

/// Keys from `start` up to but not including `end`, or `start` alone if `end` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first key.
    pub start: String,
    /// The first key after the range.
    pub end: String,
    /// How many keys to return at most, 0 for all.
    pub limit: i64,
    /// Whether the answer has no values.
    pub keys_only: bool,
    /// Whether the answer has only the number of keys.
    pub count_only: bool,
}

/// A condition on a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The key.
    pub key: String,
    /// The revision of its last change, 0 if it does not exist.
    pub expected_revision: i64,
    /// The number of changes since it was created. Also 0 if the report is too old to say.
    pub expected_version: i64,
}

/// An operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Reads keys.
    Range(Range),
    /// Sets a key.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: Value,
        /// The lease it is attached to, 0 for none.
        lease: i64,
    },
    /// Deletes a key.
    Delete(String),
}

/// A value, or the 32-bit FNV-1a hash of a long value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The value itself. Also empty if there is none.
    Text(String),
    /// The hash.
    Hash(u32),
}

impl Default for Value {
    fn default() -> Self {
        Value::Text(String::new())
    }
}

/// How an operation ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The answer, if there was one.
    pub answer: Option<Answer>,
    /// The store's revision according to the answer's header, 0 without one. -1 marks a read that need not be
    /// linearizable.
    pub revision: i64,
    /// If the operation got no answer but is known to have been stored: its revision, or 0 if that is not known.
    pub persisted: Option<i64>,
    /// The error that left the outcome unknown, if any.
    pub error: Option<String>,
    /// An error that is an answer, such as that a revision is in the future.
    pub client_error: Option<String>,
    /// The id of the member that answered, as the report has it. `None` if the report is too old to say.
    pub member: Option<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer to a range.
    Range(Found),
    /// The answer to a transaction.
    Txn {
        /// Whether a condition did not hold.
        failure: bool,
        /// An answer to each operation that was done.
        results: Vec<OpResult>,
    },
    /// The answer to a grant: the lease's id. 0 in most reports.
    LeaseGrant(i64),
    /// The answer to a revocation.
    LeaseRevoke,
    /// The answer to a defragmentation.
    Defragment,
    /// The answer to a compaction.
    Compact,
}

/// What a range found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The pairs, in the order of the answer.
    pub kvs: Vec<KeyValue>,
    /// How many keys there are, regardless of the limit.
    pub count: i64,
}

/// The answer to an operation of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpResult {
    /// What a range found.
    pub found: Found,
    /// How many keys a delete deleted.
    pub deleted: i64,
}

/// A key and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// The revision of its last change.
    pub mod_revision: i64,
    /// The number of changes since it was created. 0 if the report is too old to say.
    pub version: i64,
}
