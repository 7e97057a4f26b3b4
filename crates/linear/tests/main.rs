//! All tests of this crate as one program.

mod common;
mod cycles;
mod differential;
mod exhaustive;
mod generated;
mod metamorphic;
mod minimum;
mod models;
mod mutations;
mod partition;
mod recorded;
mod regressions;
mod views;
