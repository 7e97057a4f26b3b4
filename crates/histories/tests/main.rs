//! Everything the tests of this crate hold it to, as one program.

mod malformed;
mod properties;
mod samples;
