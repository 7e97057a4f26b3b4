//! `etcdsim-general-1`, the project's own file format for histories: what clients of a system asked and were
//! answered, with the times of calls and returns.
//!
//! A file has one model, the kind of object that the system offers, such as a register or a queue ([`MODELS`]). The
//! project's `docs/general-history.md` describes the format with examples. In short, line 1 is `{"format":
//! "etcdsim-general-1", "model": …}`. It has `"keyed": true` if the history covers many objects, each with a key; and
//! for registers and counters `"initial"`, the value at first. Each further line is an operation:
//!
//! | field | |
//! |---|---|
//! | `client` | the client that called, a number below 2^32 |
//! | `op` | of `register`: `read`, `write`; of `cas-register` and `versioned-register` also `cas`; of `counter`: `add`, `read`; of `bank`: `transfer`, `read`; of `key-value`: `get`, `put`, `append`, `cas`, `delete`; of `queue`: `enqueue`, `dequeue`; of `stack`: `push`, `pop`; of `priority-queue`: `insert`, `delete-min`; of `bag`: `add`, `take`; of `set`: `add`, `remove`, `read`; of `lock`: `acquire`, `release`; of `list`: `append`, `read` |
//! | `key` | the object of the operation; present if line 1 has `"keyed": true`, and always for `key-value` |
//! | `value`, `expected` | the value that is written, added or appended; the value that a `cas` compares with |
//! | `owner` | who acquires or releases, a number below 2^32 |
//! | `from`, `to`, `amount` | what a `transfer` moves |
//! | `call`, `return` | times on one clock, from 0 to 2^64 - 1; `"return": null` if the outcome is unknown |
//! | `failed` | `true` if the answer was that the operation had no effect |
//! | `result` | the answer, for operations whose answer says more than that they were done |
//! | `version` | of `versioned-register`: the version that an answer shows, if it does |
//!
//! Not checked: whether each client has one operation at a time. No model needs that.
//!
//! ```
//! let file = br#"{"format": "etcdsim-general-1", "model": "register", "initial": 0}
//! {"client": 1, "op": "write", "value": 3, "call": 10, "return": 20}
//! {"client": 2, "op": "read", "call": 21, "return": 30, "result": 3}
//! "#;
//! let recorded = histories::general::read("two.jsonl", file)?;
//! assert_eq!(recorded.len(), 2);
//! # Ok::<(), histories::Error>(())
//! ```

mod containers;
mod fields;
mod forms;
mod read;
mod registers;
mod store;
mod sums;
mod write;

pub use read::{Reader, read, read_from};
pub use write::{WriteError, write};

/// The `format` in the first line of such a file.
pub const FORMAT: &str = "etcdsim-general-1";

/// The models that such a file can name.
pub const MODELS: [&str; 13] = [
    "register",
    "cas-register",
    "versioned-register",
    "counter",
    "bank",
    "key-value",
    "queue",
    "stack",
    "priority-queue",
    "bag",
    "set",
    "lock",
    "list",
];
