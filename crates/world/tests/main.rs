//! All tests of this crate, as one program.

mod clients;
mod disk;
mod raft_loop;
mod smoke;
mod transfers;
