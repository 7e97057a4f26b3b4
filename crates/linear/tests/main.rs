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
#[expect(dead_code, reason = "only what `steps` needs")]
#[path = "../src/intern.rs"]
mod intern;
mod limits;
mod metamorphic;
mod minimum;
mod models;
mod mutations;
mod partition;
mod pitfalls;
mod recorded;
mod regressions;
// The library itself is built without its tests, so they are reached from here.
#[expect(dead_code, reason = "only what its tests use")]
#[expect(clippy::disallowed_types, reason = "as in the library")]
#[path = "../src/search/steps.rs"]
mod steps;
mod sums;
mod views;
