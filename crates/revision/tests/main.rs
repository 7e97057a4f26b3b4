//! All tests of this crate as one program.

mod differential;
mod input;
mod mutations;
mod stream;
