//! All tests of this crate as one program.

mod jepsen;
mod malformed;
mod properties;
mod samples;
mod values;
