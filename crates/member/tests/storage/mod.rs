//! What the member keeps on its disk, against a disk that loses power, rots and fails.

mod backend;
pub mod disk;
mod end;
mod snapshot_file;
mod wal;
