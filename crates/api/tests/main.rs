//! All tests of this crate as one program.

mod conformance;
mod json;
