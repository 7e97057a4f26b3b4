//! Everything the tests of this crate hold it to, as one program.

mod build;
mod docs;
mod mistakes;
mod scenarios;
mod workloads;
