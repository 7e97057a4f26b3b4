//! All tests of this crate, as one program.

mod contract;
mod disk;
mod examples;
