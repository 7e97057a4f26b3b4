//! All integration tests of this crate, as one program.

mod conformance;
mod restore;
mod storage;
mod store;
mod store_flaws;
