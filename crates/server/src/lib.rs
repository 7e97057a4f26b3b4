//! An etcd server. The member is the one that the simulator tortures; here it is driven by threads and by tokio, with
//! real clocks, real files and real sockets. The crate `contract` says what holds between a member and its driver.
//!
//! | file | job |
//! |---|---|
//! | `command`, `server` | the command; how everything starts and stops |
//! | `flags`, `duration`, `config_file`, `setup`, `url` | what the user says |
//! | `data_dir`, `disk`, `clock` | the machine under the member: its files and its clocks |
//! | `driver`, `handle` | the event loop, and how everybody else talks to it |
//! | `app`, `connections`, `net`, `tls` | addresses that listen, and their connections |
//! | `grpc`, `observe`, `http`, `gateway`, `metrics` | what clients are answered |
//! | `peers`, `peer_server` | what members say to each other |
//! | `recorder` | the record of a process |
//! | `forced` | a new cluster from the data of one member |
//! | `corruption` | the comparison with the other members before a start |
//! | `snapshot`, `bolt` | snapshots in etcd's form |
//! | `passwords` | how passwords are hashed |
//! | `client` | a client of etcd's API, for `etcdsim-ctl` and the tests |
//!
//! Architecture invariants: all of etcd's logic is in `member`, none of it is here. Neither madsim nor a flaw is in
//! this program; `tests/binary.rs` checks that.

mod app;
mod bolt;
pub mod client;
mod clock;
mod codec;
pub mod command;
mod config_file;
mod connections;
mod corruption;
mod data_dir;
mod disk;
mod driver;
pub mod duration;
mod flags;
mod forced;
mod gateway;
mod grpc;
mod handle;
mod http;
mod metrics;
pub mod net;
mod observe;
mod passwords;
mod peer_server;
mod peers;
mod recorder;
mod server;
mod setup;
mod snapshot;
pub mod tls;
pub mod url;
