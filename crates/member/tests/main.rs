//! Everything the tests of this crate hold it to, as one program.

mod conformance;
mod restore;
mod storage;
mod store;
mod store_flaws;
