//! A server as a process.
#![allow(clippy::disallowed_methods, reason = "these tests wait for real processes")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api::etcdserverpb::{PutRequest, RangeRequest};
use api::{Request, Response};
use etcdsim_server::client::Client;
use etcdsim_server::tls::ClientTls;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

/// How often something is tried before a test fails, and the pause between two attempts.
const ATTEMPTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(50);
/// How long a call may take. It may wait for an election.
const CALL_MAX: Duration = Duration::from_secs(10);

/// The server's program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_etcdsim-server");

/// A folder of a test, empty.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("cargo's folder for tests can be written");
    folder
}

/// The program `etcdsim`, which cargo builds beside the server. If only this package was built, it may not be there: then
/// a test says that it was skipped.
pub fn etcdsim() -> Option<PathBuf> {
    let path = Path::new(PROGRAM).with_file_name("etcdsim");
    if !path.exists() {
        eprintln!("skipped: {} is not built", path.display());
        return None;
    }
    Some(path)
}

/// Ports that nobody uses. They are not reserved, so that another process may be faster; the tests of this program take
/// theirs from the system, which does not give the same ones again soon.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("the system has free ports"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// Runs a test's future.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    Runtime::new().expect("threads").block_on(test)
}

/// A server, which is killed when it is dropped.
pub struct Server {
    child: Child,
    pub client: u16,
    args: Vec<String>,
    log: PathBuf,
}

impl Server {
    /// Starts a server with these arguments besides those about its client address.
    pub fn start(folder: &Path, name: &str, client: u16, args: &[String]) -> Server {
        Server::start_at("http", folder, name, client, args)
    }

    /// The same, with the scheme of its client address.
    pub fn start_at(scheme: &str, folder: &Path, name: &str, client: u16, args: &[String]) -> Server {
        let mut all = vec![
            format!("--name={name}"),
            format!("--data-dir={}", folder.join(name).display()),
            format!("--listen-client-urls={scheme}://127.0.0.1:{client}"),
            format!("--advertise-client-urls={scheme}://127.0.0.1:{client}"),
            "--bcrypt-cost=4".to_string(),
        ];
        all.extend(args.iter().cloned());
        let log = folder.join(format!("{name}.log"));
        Server { child: spawn(&all, &log), client, args: all, log }
    }

    /// A cluster of its own.
    pub fn alone(folder: &Path) -> Server {
        Server::alone_with_peer(folder).0
    }

    /// The same, with its port for other members.
    pub fn alone_with_peer(folder: &Path) -> (Server, u16) {
        let [client, peer] = free_ports();
        let args = [
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        ];
        (Server::start(folder, "m1", client, &args), peer)
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its arguments.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// The file to which it logs.
    pub fn log(&self) -> fs::File {
        open_log(&self.log)
    }

    /// Takes a process that was started otherwise in the place of its own, which has ended.
    pub fn adopt(&mut self, child: Child) {
        self.child = child;
    }

    /// Starts it again, this time with these arguments, too.
    pub fn restart_with(&mut self, more: &[&str]) {
        let all: Vec<String> =
            self.args.iter().cloned().chain(more.iter().map(|arg| arg.to_string())).collect();
        self.child = spawn(&all, &self.log);
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits until it has. Returns whether it says that all was well.
    pub fn stop(&mut self) -> bool {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").arg(id).status().expect("there is a command kill");
        assert!(killed.success());
        self.ends()
    }

    /// Waits until it has ended. Returns whether it says that all was well.
    pub fn ends(&mut self) -> bool {
        for _ in 0..ATTEMPTS {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.success();
            }
            std::thread::sleep(PAUSE);
        }
        panic!("it does not end: {}", self.said());
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.child = spawn(&self.args, &self.log);
    }

    /// What it has logged.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A connection to it, as soon as it answers reads.
    pub async fn client(&self) -> Client {
        self.client_at("http", None).await
    }

    /// The same, with the scheme of its client address.
    pub async fn client_at(&self, scheme: &str, tls: Option<&ClientTls>) -> Client {
        let client = client_at(scheme, self.client, tls).await;
        client.unwrap_or_else(|| panic!("it does not serve: {}", self.said()))
    }
}

/// A connection to whoever serves at a port, as soon as it answers reads.
pub async fn client_at(scheme: &str, port: u16, tls: Option<&ClientTls>) -> Option<Client> {
    let url = format!("{scheme}://127.0.0.1:{port}").parse().expect("an address");
    for _ in 0..ATTEMPTS {
        if let Ok(mut client) = Client::connect(&url, tls).await {
            match call(&mut client, get("ready")).await {
                Ok(_) => return Some(client),
                // Who has no right to read learns at least that it serves.
                Err(status) if status.code() == Code::PermissionDenied => return Some(client),
                Err(_) => {}
            }
        }
        sleep(PAUSE).await;
    }
    None
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_log(log: &Path) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(log).expect("the log can be written")
}

fn spawn(args: &[String], log: &Path) -> Child {
    let mut command = Command::new(PROGRAM);
    // What somebody has set for an etcd of their own must not count here.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ETCD_")) {
        command.env_remove(name);
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(open_log(log))
        .spawn()
        .expect("cargo has built it")
}

/// Makes a call until it succeeds.
pub async fn insist(client: &mut Client, request: Request) -> Response {
    for _ in 0..ATTEMPTS {
        if let Ok(response) = call(client, request.clone()).await {
            return response;
        }
        sleep(PAUSE).await;
    }
    panic!("{request:?} does not succeed");
}

/// Makes a call, in bounded time.
pub async fn call(client: &mut Client, request: Request) -> Result<Response, Status> {
    timeout(CALL_MAX, client.call(request))
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("the test waits no longer")))
}

pub fn put(key: &str, value: &str) -> Request {
    PutRequest { key: key.to_string().into(), value: value.to_string().into(), ..PutRequest::default() }
        .into()
}

pub fn get(key: &str) -> Request {
    RangeRequest { key: key.to_string().into(), ..RangeRequest::default() }.into()
}

/// The value in the answer to [`get`].
pub fn value(answer: Response) -> Option<String> {
    let kv = answer.pairs().next()?;
    Some(String::from_utf8_lossy(&kv.value).into_owned())
}
