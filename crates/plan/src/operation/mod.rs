//! How an act of a client is written in a file: as one line, such as `1.25s put k3 c0o17`. This is the grammar,
//! where `{a | b}` means any number of these options in any order, and `[a]` an optional word or, with `…`, a
//! list in brackets:
//!
//! ```text
//! operation = TIME act
//! act       = request
//!           | watch KEYS {from=START | prev | progress | no-put | no-delete | fragment | id=N
//!                         | as=NAME | stream=N | skip}
//!           | stream KEYS {as get}           (the same, by RangeStream)
//!           | follow KEYS {page=N | streamed | as=NAME | stream=N}
//!           | cancel NAME | progress N | close N     (of a watcher, by its name; of a stream; of a stream)
//!           | list KEYS {page=N | streamed} | view KEYS
//!           | create WHICH VALUE {new=KEY | about=N | lease=N | tries=N}     (as Kubernetes)
//!           | update WHICH VALUE {new=KEY | about=N | lease=N | tries=N}
//!           | remove WHICH VALUE {new=KEY | about=N | lease=N | tries=N}
//!           | add KEY VALUE {lock=KEY | lease=N | ttl=N | hold=TIME | fenced | outside}
//!           | append [KEY += VALUE | get KEY, …]
//!           | lock KEY lease=N ttl=N | unlock KEY
//!           | campaign KEY VALUE lease=N ttl=N | proclaim KEY VALUE | resign KEY
//!           | fenced KEY KEY VALUE                                  (the lock or election; what to put)
//!           | renew | compactor KEY | rest TIME
//!           | literal RPC JSON                 (as `call`, but all numbers are literal)
//!           | forged N request                 (with a token that no login issued; it ends in N)
//! request   = put KEY VALUE {prev | ignore-value | ignore-lease | lease=N}
//!           | get KEYS {@REVISION | serializable | limit=N | keys-only | count-only
//!                       | by=FIELD | ascend=FIELD | descend=FIELD
//!                       | min-mod=N | max-mod=N | min-create=N | max-create=N}
//!           | delete KEYS {prev}
//!           | compact REVISION [physical]
//!           | txn if [compare, …] then [request, …] else [request, …]
//!           | grant N ttl=N | revoke N | keep-alive N | time-to-live N [keys] | leases
//!           | call RPC JSON                    (anything else, in the form of etcd's gateway)
//! compare   = (mod | create | version | lease | value) KEYS (= | != | < | >) (N | seen | VALUE)
//! KEYS      = KEY | KEY*  (a prefix) | KEY..KEY | KEY..  (from there on) | *  (all)
//! WHICH     = KEY | KEYS#N           (number N of the copy of these keys, modulo its length)
//! START     = now | N | seen+N | seen-N | last
//! VALUE     = TEXT | TEXT*N          (TEXT, padded with dots to N bytes)
//! ```
//!
//! A key or text can be written without quotes if it has only letters, digits and `_ - / :`. In double quotes
//! it may have the escapes `\"`, `\\` and `\x0a`. `FIELD` is key, version, create, mod or value. Requests that
//! cannot be written like this are written as `call`. As a lease or a revision, `seen` means [`crate::LAST`].

mod acts;
mod parse;
mod print;

use std::fmt;
use std::str::FromStr;

use api::etcdserverpb::compare::{CompareResult, CompareTarget};
use api::etcdserverpb::range_request::SortTarget;
use schedule::field::Line;
use schedule::words::BadWords;

use crate::PlannedOperation;

pub(crate) use parse::parse;
pub(crate) use print::print;

/// Why a text is not an operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError(BadWords);

impl OperationError {
    /// How to fix it.
    pub fn help(&self) -> &str {
        &self.0.help
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for OperationError {}

/// Reads a line of a scenario, such as `1.25s put k3 v`. `docs/scenarios.md` has the grammar.
impl FromStr for PlannedOperation {
    type Err = OperationError;

    fn from_str(text: &str) -> Result<PlannedOperation, OperationError> {
        parse(text).map_err(OperationError)
    }
}

/// Writes a line that reads back as the same operation.
impl fmt::Display for PlannedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

/// A client's operations in a file.
impl Line for PlannedOperation {
    const PATTERN: &'static str = "^[0-9.]+(h|m|s|ms|us|ns)? +(put|get|delete|compact|txn|call) ";

    fn print(&self) -> String {
        print(self)
    }

    fn parse(line: &str) -> Result<PlannedOperation, BadWords> {
        parse(line)
    }
}

/// The maximum of N in `TEXT*N`, slightly more than the largest request that etcd accepts (1.5 MiB).
pub(crate) const LARGEST_VALUE: usize = 2 << 20;

/// The maximum depth of nested transactions. etcd has no limit except its stack.
const DEEPEST: u32 = 16;

/// The first words of requests. Those of the other acts are in `acts`.
const VERBS: &[&str] = &[
    "put",
    "get",
    "delete",
    "compact",
    "txn",
    "grant",
    "revoke",
    "keep-alive",
    "time-to-live",
    "leases",
    "call",
];
/// The words for what a range is sorted by.
const SORTS: &[(&str, SortTarget)] = &[
    ("key", SortTarget::Key),
    ("version", SortTarget::Version),
    ("create", SortTarget::Create),
    ("mod", SortTarget::Mod),
    ("value", SortTarget::Value),
];
/// The words for what a compare looks at.
const COMPARES: &[(&str, CompareTarget)] = &[
    ("version", CompareTarget::Version),
    ("create", CompareTarget::Create),
    ("mod", CompareTarget::Mod),
    ("value", CompareTarget::Value),
    ("lease", CompareTarget::Lease),
];
/// The words for how a compare compares.
const RESULTS: &[(&str, CompareResult)] = &[
    ("!=", CompareResult::NotEqual),
    ("=", CompareResult::Equal),
    (">", CompareResult::Greater),
    ("<", CompareResult::Less),
];

/// Whether a byte can stand in a word without quotes.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b':')
}
