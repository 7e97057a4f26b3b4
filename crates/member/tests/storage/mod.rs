//! Tests the member's files on a disk in memory that loses power, rots and fails.

mod backend;
pub mod disk;
mod end;
mod snapshot_file;
mod wal;
