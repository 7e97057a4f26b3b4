//! Everything the tests of this crate hold it to, as one program.

mod clients;
mod disk;
mod smoke;
