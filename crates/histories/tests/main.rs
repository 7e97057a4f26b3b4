//! All tests of this crate as one program.

mod malformed;
mod properties;
mod samples;
mod values;
