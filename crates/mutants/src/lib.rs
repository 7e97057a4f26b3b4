//! All mutants of a crate in one program.
//!
//! A mutant is a small mistake put into a crate: a `<` that is a `<=`, a statement left out. How many of them a test
//! suite, or a simulator with its oracles, notices shows what it is worth. To build the program once for each would
//! take days. So the sources are rewritten to hold all of them, and a number switches one on while the program runs.
//!
//! ```text
//! sources ──find──▶ sites ──rewrite──▶ copy of the workspace ──compile──▶ program ──trial──▶ outcomes ──report──▶
//!                             ▲                                   │
//!                             └────── without what does not compile
//! ```
//!
//! What it does not do: it changes no macros, constants, patterns or types, and it never tries two mutants at once.
//!
//! Invariants: with no mutant on, the program takes the same steps as the unchanged one. No file of the user's
//! workspace is written. A mutant has the same name as long as its code does not change.

pub mod blame;
pub mod cargo;
#[doc(hidden)]
pub mod command;
pub mod compile;
pub mod error;
pub mod find;
pub mod harness;
pub mod journal;
pub mod list;
pub mod mirror;
pub mod mutant;
mod progress;
pub mod report;
pub mod rewrite;
pub mod select;
pub mod sources;
mod stopwatch;
pub mod trial;
