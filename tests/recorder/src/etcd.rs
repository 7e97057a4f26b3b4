//! A fresh etcd of one node.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api::etcdserverpb::RangeRequest;
use etcdsim_server::client::Client;
use etcdsim_server::url::Url;
use tokio::time::sleep;

/// How often a connection is tried, and the pause between two attempts.
const ATTEMPTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// A running etcd. It ends when it is dropped.
pub struct Etcd {
    child: Child,
    folder: PathBuf,
    /// Its client address.
    pub url: Url,
}

impl Etcd {
    /// Starts it with an empty data directory.
    ///
    /// # Errors
    /// It cannot be executed, or does not serve.
    pub async fn start(program: &Path) -> io::Result<Etcd> {
        let folder = std::env::temp_dir().join(format!("etcdsim-recorder-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let [client, peer] = [free_port()?, free_port()?];
        let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let child = Command::new(program)
            .args(["--name=default", "--log-level=error", "--bcrypt-cost=4", "--unsafe-no-fsync"])
            .arg(format!("--data-dir={}", folder.display()))
            .args([
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=default={peer}"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let url = client.parse().map_err(io::Error::other)?;
        let etcd = Etcd { child, folder, url };
        for _ in 0..ATTEMPTS {
            if let Ok(mut client) = etcd.connect().await {
                let read = RangeRequest { key: "ready".into(), ..RangeRequest::default() };
                if client.call(read.into()).await.is_ok() {
                    return Ok(etcd);
                }
            }
            sleep(PAUSE).await;
        }
        Err(io::Error::other("etcd does not serve"))
    }

    /// A new connection.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn connect(&self) -> io::Result<Client> {
        Client::connect(&self.url, None).await
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
