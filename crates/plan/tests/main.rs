//! All tests of this crate, as one program.

mod build;
mod docs;
mod mistakes;
mod scenarios;
mod workloads;
