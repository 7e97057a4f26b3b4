//! All tests of this crate, as one program.

mod clients;
mod noise;
mod raft_loop;
mod smoke;
mod transfers;
