//! All tests of this crate as one program.

mod common;
#[expect(clippy::type_complexity, reason = "rows of tables")]
mod containers;
mod cycles;
mod differential;
mod distinct;
mod distinct_all;
mod exhaustive;
mod generated;
mod limits;
mod metamorphic;
mod minimum;
mod models;
mod mutations;
mod partition;
mod pitfalls;
mod recorded;
mod regressions;
mod sums;
mod views;
