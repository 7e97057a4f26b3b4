//! Everything the tests of this crate hold it to, as one program.

mod differential;
mod input;
mod mutations;
mod stream;
