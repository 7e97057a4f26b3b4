//! The programs of a real etcd, for the tests that compare with it. `ETCDSIM_ETCD`, `ETCDSIM_ETCDCTL` and
//! `ETCDSIM_ETCDUTL` name them; otherwise they are searched for in `PATH`. A test without them says that it was skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use etcdsim_server::client::Client;

use crate::process::{client_at, free_ports};

/// A program of etcd, if it is there.
pub fn program(name: &str) -> Option<PathBuf> {
    let set = std::env::var_os(format!("ETCDSIM_{}", name.to_uppercase())).map(PathBuf::from);
    let found = set.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    });
    if found.is_none() {
        println!("skipped: there is no {name}");
    }
    found
}

/// A real etcd of one node, which is killed when it is dropped.
pub struct Etcd {
    child: Child,
    /// The port of its client address.
    pub client: u16,
}

impl Etcd {
    /// Starts a new one, with its data in this folder.
    pub fn start(program: &Path, folder: &Path) -> Etcd {
        let [client, peer] = free_ports();
        Etcd::start_at(program, &folder.join("etcd"), client, peer)
    }

    /// Starts one with this data and these ports.
    pub fn start_at(program: &Path, data: &Path, client: u16, peer: u16) -> Etcd {
        let log = fs::File::create(data.with_extension("log")).expect("the folder can be written");
        let address = |port: u16| format!("http://127.0.0.1:{port}");
        let child = Command::new(program)
            .args(["--name=m1", "--log-level=error", "--bcrypt-cost=4"])
            .arg(format!("--data-dir={}", data.display()))
            .args([
                format!("--listen-client-urls={}", address(client)),
                format!("--advertise-client-urls={}", address(client)),
                format!("--listen-peer-urls={}", address(peer)),
                format!("--initial-advertise-peer-urls={}", address(peer)),
                format!("--initial-cluster=m1={}", address(peer)),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd can be executed");
        Etcd { child, client }
    }

    /// A connection to it, as soon as it answers reads.
    pub async fn connect(&self) -> Client {
        client_at("http", self.client, None).await.expect("etcd serves")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
