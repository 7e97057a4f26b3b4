//! All tests of this crate as one program.

mod common;
mod containers;
mod cycles;
mod differential;
mod distinct;
mod distinct_all;
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
