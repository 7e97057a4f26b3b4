//! The project's own format for histories of any shipped model, `etcdsim-general-1`.
//!
//! The schema, with an example of each model, is `docs/general-history.md`. In short: line 1 is
//! `{"format": "etcdsim-general-1", "model": …}`, with `"keyed": true` if every operation has a key and, for
//! registers, what they hold at first as `"initial"`; each further line is an operation:
//!
//! | field | |
//! |---|---|
//! | `client` | a number below 2^32 |
//! | `op` | of `register`: `read`, `write`; of `cas-register` also `cas`; of `key-value`: `get`, `put`, `append`, `cas`, `delete`; of `queue`: `enqueue`, `dequeue`; of `set`: `add`, `remove`, `read`; of `lock`: `acquire`, `release`; of `list`: `append`, `read` |
//! | `key` | exactly if the header says `keyed`, and always of `key-value` |
//! | `value`, `expected` | what is written, added or appended; what a `cas` compares with |
//! | `owner` | who acquires or releases, a number below 2^32 |
//! | `call`, `return` | times on one clock, from 0 to 2^64 - 1; `"return": null` if the outcome is unknown |
//! | `failed` | `true`: it definitely had no effect |
//! | `result` | what was answered, where the operation answers more than that it was done |
//!
//! Not checked: whether clients are one at a time, which no model asks for.
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

mod fields;
mod forms;
mod read;
mod store;
mod write;

pub use read::{Reader, read, read_from};
pub use write::write;

/// What the first line of such a file says its format is.
pub const FORMAT: &str = "etcdsim-general-1";

/// The models such a file can name.
pub const MODELS: [&str; 7] = ["register", "cas-register", "key-value", "queue", "set", "lock", "list"];
