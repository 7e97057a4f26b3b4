//! All tests of this crate, as one program.

mod conformance;
mod cross_check;
mod docs;
mod history_file;
mod oracles;
mod support;
mod verdicts;
mod watchers;
