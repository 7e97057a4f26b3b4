//! What the member keeps on its disk, against a disk that loses power, rots and fails.

mod disk;
mod wal;
