//! Reads histories (what clients asked and what they were answered) in the formats that are in use, and writes one of
//! them.
//!
//! | module | format | result |
//! |---|---|---|
//! | [`general`] | `etcdsim-general-1`: JSON lines for most models of [`linear`], read and written | [`Recorded`] |
//! | [`edn`] | Jepsen histories in EDN, in JSON, as `history.txt` and as `jepsen.log` | [`edn::Jepsen`]: [`Recorded`] or transactions |
//! | [`jepsen_log`] | Jepsen's logs of an early etcd | a history of a register |
//! | [`robustness`] | `operations.json` and `watch.json` of etcd's robustness tests | structs of its own |
//! | [`scan`] | any JSON lines, token by token | whatever its caller builds |
//!
//! [`detect()`] finds out which format a file has.
//!
//! A model is the sequential specification by which a history is judged, such as that of a register.
//!
//! # A file, read and judged
//!
//! This crate reads; [`linear`], which it re-exports, judges. [`Recorded`] says which model a history is for.
//!
//! ```
//! use histories::linear::models::register::Register;
//! use histories::linear::{Budget, check};
//! use histories::{Operations, Recorded, general};
//!
//! let file = br#"{"format": "etcdsim-general-1", "model": "register", "initial": 0}
//! {"client": 1, "op": "write", "value": 3, "call": 10, "return": 20}
//! {"client": 2, "op": "read", "call": 21, "return": 30, "result": 0}
//! "#;
//! let recorded = general::read("stale.jsonl", file)?;
//! let Recorded::Register { initial, operations: Operations::Single(history), .. } = recorded else {
//!     panic!("the header names a register");
//! };
//! let report = check(&Register { initial }, &history, &Budget::default());
//! assert!(report.verdict.is_violation());
//! # Ok::<(), histories::Error>(())
//! ```
//!
//! A file with a mistake is an [`Error`] that shows where and how to mend it:
//!
//! ```
//! let error = histories::general::read("empty.jsonl", b"").unwrap_err();
//! assert!(error.to_string().starts_with("empty.jsonl:1:1: expected a header, found no line at all"));
//! ```
//!
//! # What you can rely on
//!
//! 1. Readers accept what they know and nothing else, except fields in a report of the robustness tests, which they
//!    skip and list. Every [`Mistake`] says where it is, what was expected, what was found and how to mend it. The place
//!    is within the input.
//! 2. No input makes a reader panic or overflow the stack.
//! 3. [`general::read`] reads what [`general::write`] writes, and gets the same history.
//!
//! # What is not done
//!
//! `etcdsim-history-1` and `-2` are detected here but read elsewhere. Nothing is judged here: a history that can
//! be read may be wrong.
//!
//! The terms operation, client, call, return and outcome mean the same as in [`linear`].
//!
//! Architecture invariant: this crate knows [`linear`] and no other crate of the project.

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
pub use general::WriteError;
pub use linear;
pub use recorded::{Operations, Recorded, RegisterOperations, RegisterValue, StoreHistory, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
