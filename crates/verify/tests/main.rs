//! Everything the tests of this crate hold it to, as one program.

mod conformance;
mod cross_check;
mod docs;
mod history_file;
mod oracles;
mod support;
mod watchers;
