//! All tests of this crate, as one program.

mod clients;
mod disk;
mod smoke;
