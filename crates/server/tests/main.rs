//! Tests of the server as a process: real sockets on 127.0.0.1, real files below cargo's folder for tests. Each process is
//! killed by its id when its test ends.

mod binary;
mod clients;
mod cluster;
mod crashes;
mod etcdctl;
mod exchange;
mod parity;
mod process;
mod real;
mod record;
mod robust;
mod single;
mod snapshot;
mod streams;
mod tls;
