//! Reads and writes histories of what clients did and saw, in the formats that are in use.
//!
//! | module | format | gives |
//! |---|---|---|
//! | [`general`] | `etcdsim-general-1`: JSON lines for every model of `linear`, read and written | [`Recorded`] |
//! | [`edn`] | Jepsen histories in EDN | [`edn::Jepsen`]: [`Recorded`] or list-append transactions |
//! | [`jepsen_log`] | Jepsen's logs of an early etcd | a history of a register |
//! | [`robustness`] | `operations.json` and `watch.json` of etcd's robustness tests | structs of its own |
//! | [`scan`] | any JSON lines, token by token | what its caller makes of them |
//!
//! [`detect()`] tells which one a file has.
//!
//! # What can be relied on
//!
//! 1. Readers accept what they know and nothing else. Every [`Mistake`] says where it is, what was expected,
//!    what was found and how to mend it; its place lies within the input.
//! 2. No input panics, and none overflows the stack.
//! 3. What [`general::write`] writes, [`general::read`] reads back as it was.
//!
//! # What is not done
//!
//! `etcdsim-history-1` and `-2` are told apart here but read elsewhere. Nothing is judged here: a history that
//! can be read may be wrong.
//!
//! Architecture invariant: this crate knows `linear` and no other crate of the project.

mod detect;
pub mod edn;
mod error;
pub mod general;
pub mod jepsen_log;
mod recorded;
pub mod robustness;
pub mod scan;

pub use detect::{Format, LOOKED_AT_BYTES, detect, detect_path};
pub use error::{Error, Mistake, Scan};
pub use recorded::{Held, Operations, Recorded, RegisterOperations, StoreHistory, Value};
