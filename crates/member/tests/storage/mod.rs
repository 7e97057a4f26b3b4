//! The member's files, on a disk that loses power, rots and fails.

mod backend;
pub mod disk;
mod end;
mod snapshot_file;
mod wal;
