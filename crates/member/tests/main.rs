//! All integration tests of this crate, as one program.

mod alone;
mod conformance;
mod promises;
mod restore;
mod storage;
mod store;
mod store_flaws;
mod versions;
