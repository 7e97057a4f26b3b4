//! A load for servers, ours and etcd's: it measures how many puts, gets or watch events they answer in a second, and
//! how much memory they take. The table in docs/performance.md comes from it.
//!
//! ```text
//! cargo build --release -p etcdsim-server --example load --bin etcdsim-server
//! target/release/examples/load compare path/to/etcd 5       # starts both, one after the other, and prints the table
//! target/release/examples/load memory path/to/etcd 1000     # the same with 1,000 MB of values
//! target/release/examples/load put http://127.0.0.1:2379 16 10    # puts (or get, watch) of 16 clients at a server that runs, for 10 s
//! ```
//!
//! Each client has a connection of its own and sends the next request as soon as the last one is answered. Values have
//! 256 bytes; there are 10,000 keys. A watching client watches all keys, while 16 others put. All of it, the clients
//! too, is on one machine.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures real time")]

use std::error::Error;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::Request;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{PutRequest, RangeRequest, WatchCreateRequest, WatchRequest, WatchResponse};
use etcdsim_server::client::Client;
use etcdsim_server::url::Url;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;

const KEYS: usize = 10_000;
const VALUE: usize = 256;
/// How many clients put while others watch.
const WRITERS: usize = 16;
/// The time at the beginning that is not measured.
const WARM_UP: Duration = Duration::from_millis(500);
const CLIENTS: [usize; 4] = [1, 16, 128, 1_000];
const MEMBERS: [usize; 2] = [1, 3];
/// The bytes of a value when the memory is measured.
const LARGE: usize = 10_000;

type Failure = Box<dyn Error + Send + Sync>;

fn key(nth: usize) -> String {
    // Keys that follow each other in time are not neighbours in the store.
    format!("load/{:05}", nth.wrapping_mul(7_919) % KEYS)
}

fn put(nth: usize) -> Request {
    PutRequest { key: key(nth).into(), value: vec![b'x'; VALUE].into(), ..PutRequest::default() }.into()
}

fn get(nth: usize) -> Request {
    RangeRequest { key: key(nth).into(), ..RangeRequest::default() }.into()
}

/// When clients measure: after all have connected and warmed up, until they must stop.
struct Course {
    connected: Barrier,
    measures: AtomicBool,
    stop: AtomicBool,
}

/// Asks until it must stop. Returns how long each answer took.
async fn ask(url: Url, number: usize, request: fn(usize) -> Request, course: Arc<Course>) -> Vec<Duration> {
    let mut took = Vec::new();
    let client = Client::connect(&url, None).await;
    course.connected.wait().await;
    let Ok(mut client) = client else { return took };
    let mut nth = number * 101;
    while !course.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if client.call(request(nth)).await.is_ok() && course.measures.load(Ordering::Relaxed) {
            took.push(begun.elapsed());
        }
        nth += 1;
    }
    took
}

/// Watches all keys until it must stop. Returns a zero for each event.
async fn watch(url: Url, course: Arc<Course>) -> Vec<Duration> {
    let mut seen = Vec::new();
    let stream = watched(&url).await;
    course.connected.wait().await;
    let Ok((_requests, mut stream)) = stream else { return seen };
    while !course.stop.load(Ordering::Relaxed) {
        let Ok(answer) = timeout(Duration::from_millis(200), stream.message()).await else { continue };
        let Ok(Some(answer)) = answer else { break };
        if course.measures.load(Ordering::Relaxed) {
            seen.resize(seen.len() + answer.events.len(), Duration::ZERO);
        }
    }
    seen
}

type Watched = (tokio::sync::mpsc::Sender<WatchRequest>, tonic::Streaming<WatchResponse>);

async fn watched(url: &Url) -> Result<Watched, Failure> {
    let mut client = Client::connect(url, None).await?;
    let create = WatchCreateRequest {
        key: "load/".into(),
        range_end: "load0".into(),
        ..WatchCreateRequest::default()
    };
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    sender.send(WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }).await?;
    let stream = client.stream("/etcdserverpb.Watch/Watch", ReceiverStream::new(requests)).await?;
    Ok((sender, stream))
}

/// What a load has measured.
struct Measured {
    /// Answers or events in a second.
    rate: f64,
    /// The time within which half of the answers came, and the time within which 99 % of them did.
    median: Duration,
    slow: Duration,
}

async fn load(urls: &[Url], what: &str, clients: usize, time: Duration) -> Result<Measured, Failure> {
    if what == "get" {
        let mut client = Client::connect(&urls[0], None).await?;
        for nth in 0..KEYS / 10 {
            client.call(put(nth)).await?;
        }
    }
    let writers = if what == "watch" { WRITERS } else { 0 };
    let course = Arc::new(Course {
        connected: Barrier::new(clients + writers + 1),
        measures: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    });
    let (mut measured, mut others) = (JoinSet::new(), JoinSet::new());
    let url = |number: usize| urls[number % urls.len()].clone();
    for number in 0..clients {
        let course = Arc::clone(&course);
        match what {
            "put" => measured.spawn(ask(url(number), number, put, course)),
            "get" => measured.spawn(ask(url(number), number, get, course)),
            _ => measured.spawn(watch(url(number), course)),
        };
    }
    for number in 0..writers {
        others.spawn(ask(url(number), number, put, Arc::clone(&course)));
    }
    course.connected.wait().await;
    sleep(WARM_UP).await;
    course.measures.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    sleep(time).await;
    course.measures.store(false, Ordering::Relaxed);
    let elapsed = begun.elapsed();
    course.stop.store(true, Ordering::Relaxed);
    let mut took: Vec<Duration> = measured.join_all().await.into_iter().flatten().collect();
    others.join_all().await;
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    Ok(Measured { rate: took.len() as f64 / elapsed.as_secs_f64(), median: at(50), slow: at(99) })
}

/// A cluster that this program has started. It ends when it is dropped.
struct Cluster {
    children: Vec<Child>,
    folder: PathBuf,
    urls: Vec<Url>,
}

impl Cluster {
    async fn start(program: &Path, members: usize) -> Result<Cluster, Failure> {
        let folder = std::env::temp_dir().join(format!("etcdsim-load-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let address = || -> Result<String, Failure> {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            Ok(format!("http://127.0.0.1:{port}"))
        };
        let (mut of_clients, mut of_peers, mut initial) = (Vec::new(), Vec::new(), Vec::new());
        for nth in 0..members {
            of_clients.push(address()?);
            of_peers.push(address()?);
            initial.push(format!("m{nth}={}", of_peers[nth]));
        }
        let urls = of_clients.iter().map(|url| url.parse()).collect::<Result<Vec<Url>, _>>()?;
        let mut cluster = Cluster { children: Vec::new(), folder, urls };
        for nth in 0..members {
            let child = Command::new(program)
                .args([format!("--name=m{nth}"), "--log-level=error".into()])
                .arg(format!("--data-dir={}", cluster.folder.join(format!("m{nth}")).display()))
                .arg(format!("--listen-client-urls={}", of_clients[nth]))
                .arg(format!("--advertise-client-urls={}", of_clients[nth]))
                .arg(format!("--listen-peer-urls={}", of_peers[nth]))
                .arg(format!("--initial-advertise-peer-urls={}", of_peers[nth]))
                .args([
                    format!("--initial-cluster={}", initial.join(",")),
                    "--quota-backend-bytes=8589934592".into(),
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            cluster.children.push(child);
        }
        for url in &cluster.urls {
            cluster.serves(url).await?;
        }
        Ok(cluster)
    }

    async fn serves(&self, url: &Url) -> Result<(), Failure> {
        for _ in 0..200 {
            if let Ok(mut client) = Client::connect(url, None).await
                && let Ok(Ok(_)) = timeout(Duration::from_secs(2), client.call(get(0))).await
            {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("a server does not serve".into())
    }

    /// The resident memory of the first member, in MB, now and at its highest.
    fn memory(&self) -> Result<(u64, u64), Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.children[0].id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
        };
        Ok((of("VmRSS:"), of("VmHWM:")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Our server, beside the folder of this program.
fn ours() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent).ok_or("this program is in no folder")?;
    let ours = folder.join("etcdsim-server");
    if !ours.is_file() {
        return Err(format!("{} is not there: build etcdsim-server first", ours.display()).into());
    }
    Ok(ours)
}

/// Prints the table.
async fn compare(etcd: &Path, time: Duration) -> Result<(), Failure> {
    let ours = ours()?;
    println!(
        "| members | what | clients | ours, a second | etcd, a second | ratio | ours: median, 99 % | etcd: median, 99 % |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for members in MEMBERS {
        for what in ["put", "get", "watch"] {
            for clients in CLIENTS {
                let mut both = Vec::new();
                for program in [ours.as_path(), etcd] {
                    let cluster = Cluster::start(program, members).await?;
                    both.push(load(&cluster.urls, what, clients, time).await?);
                }
                let ratio = both[0].rate / both[1].rate.max(1.0);
                let times = |one: &Measured| match what {
                    "watch" => String::new(),
                    _ => format!("{}, {}", milliseconds(one.median), milliseconds(one.slow)),
                };
                println!(
                    "| {members} | {what} | {clients} | {:.0} | {:.0} | {ratio:.2} | {} | {} |",
                    both[0].rate,
                    both[1].rate,
                    times(&both[0]),
                    times(&both[1])
                );
            }
        }
    }
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// Prints how much memory one member takes with this many megabytes of values.
async fn memory(etcd: &Path, megabytes: usize) -> Result<(), Failure> {
    let ours = ours()?;
    for program in [ours.as_path(), etcd] {
        let cluster = Cluster::start(program, 1).await?;
        let mut writers = JoinSet::new();
        let values = megabytes * 1_000_000 / LARGE;
        for writer in 0..WRITERS {
            let url = cluster.urls[0].clone();
            writers.spawn(async move {
                let mut client = Client::connect(&url, None).await?;
                for nth in (writer..values).step_by(WRITERS) {
                    let value = vec![nth as u8; LARGE].into();
                    let put =
                        PutRequest { key: format!("load/{nth}").into(), value, ..PutRequest::default() };
                    client.call(put.into()).await?;
                }
                Ok::<(), Failure>(())
            });
        }
        let begun = Instant::now();
        writers.join_all().await.into_iter().collect::<Result<(), _>>()?;
        let took = begun.elapsed();
        sleep(Duration::from_secs(3)).await;
        let (now, highest) = cluster.memory()?;
        println!("{}: {now} MB, at most {highest} MB; written in {took:.1?}", program.display());
    }
    Ok(())
}

async fn run(args: &[String]) -> Result<(), Failure> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["compare", etcd, seconds] => compare(Path::new(etcd), Duration::from_secs(seconds.parse()?)).await,
        ["memory", etcd, megabytes] => memory(Path::new(etcd), megabytes.parse()?).await,
        [what @ ("put" | "get" | "watch"), addresses, clients, seconds] => {
            let urls = addresses.split(',').map(str::parse).collect::<Result<Vec<Url>, _>>()?;
            let time = Duration::from_secs(seconds.parse()?);
            let Measured { rate, median, slow } = load(&urls, what, clients.parse()?, time).await?;
            println!("{what} {clients}: {rate:.0} a second, median {median:?}, 99 % {slow:?}");
            Ok(())
        }
        _ => Err("usage: load compare ETCD SECONDS | memory ETCD MEGABYTES | put|get|watch ADDRESS[,ADDRESS…] CLIENTS SECONDS".into()),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    if let Err(failure) = runtime.block_on(run(&args)) {
        eprintln!("{failure}");
        std::process::exit(2);
    }
}
