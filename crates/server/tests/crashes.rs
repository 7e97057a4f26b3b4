//! Servers that are killed again and again lose nothing that they have acknowledged, and how long nobody is served then.
//!
//! The short forms run always. The long ones are ignored, and print what they have measured:
//!
//! ```text
//! cargo test --release -p etcdsim-server --test all -- --ignored --nocapture crashes
//! ```
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::Response;
use api::etcdserverpb::{RangeRequest, StatusRequest};
use etcdsim_server::client::Client;
use etcdsim_server::tls::ClientTls;
use etcdsim_server::url::Url;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::process::{Server, client_at, folder, free_ports, insist, put, run};
use crate::tls::{authority, certificate, trusting};

/// How many clients put all the time.
const WRITERS: usize = 4;
/// When a client asks another member.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// Its pause before that.
const PAUSE: Duration = Duration::from_millis(20);
/// How many keys are read at once.
const PAGE: i64 = 10_000;
/// How long a killed leader is not there, at most.
const DOWN_MAX: u64 = 1_500;

#[test]
fn the_leader_of_three_is_killed_twice() {
    the_leader_of_three_is_killed("crashes-three", |kills, _| kills < 2, 300);
}

#[test]
#[ignore = "three minutes"]
fn the_leader_of_three_is_killed_for_three_minutes() {
    the_leader_of_three_is_killed("crashes-three-long", |_, ran| ran < Duration::from_secs(180), 2_000);
}

#[test]
fn a_member_alone_is_killed_ten_times() {
    a_member_alone_is_killed("crashes-alone", 10);
}

#[test]
#[ignore = "some minutes"]
fn a_member_alone_is_killed_a_thousand_times() {
    a_member_alone_is_killed("crashes-alone-long", 1_000);
}

/// Puts whose acknowledgements are noted.
struct Writers {
    stop: Arc<AtomicBool>,
    running: JoinSet<Vec<(String, Instant)>>,
}

impl Writers {
    fn start(ports: &[u16], tls: Option<&Arc<ClientTls>>) -> Writers {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = |port: &u16| format!("{scheme}://127.0.0.1:{port}").parse().expect("an address");
        let urls: Vec<Url> = ports.iter().map(url).collect();
        let (stop, mut running) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for number in 0..WRITERS {
            running.spawn(write(urls.clone(), tls.cloned(), number, Arc::clone(&stop)));
        }
        Writers { stop, running }
    }

    /// Ends them. Returns the acknowledged keys in the order of time.
    async fn stop(self) -> Vec<(String, Instant)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = self.running.join_all().await.concat();
        acknowledged.sort_by_key(|(_, at)| *at);
        acknowledged
    }
}

/// Puts a new key again and again, and goes to the next member if one does not answer.
async fn write(
    urls: Vec<Url>,
    tls: Option<Arc<ClientTls>>,
    number: usize,
    stop: Arc<AtomicBool>,
) -> Vec<(String, Instant)> {
    let (mut acknowledged, mut client, mut nth, mut at) = (Vec::new(), None::<Client>, 0, number);
    while !stop.load(Ordering::Relaxed) {
        if client.is_none() {
            let connects = Client::connect(&urls[at % urls.len()], tls.as_deref());
            client = timeout(ANSWER_MAX, connects).await.ok().and_then(Result::ok);
        }
        if let Some(connection) = &mut client {
            let key = format!("w{number}/{nth}");
            nth += 1;
            if let Ok(Ok(_)) = timeout(ANSWER_MAX, connection.call(put(&key, &key))).await {
                acknowledged.push((key, Instant::now()));
                continue;
            }
        }
        client = None;
        at += 1;
        sleep(PAUSE).await;
    }
    acknowledged
}

/// Every acknowledged key is at this member.
async fn assert_all(client: &mut Client, acknowledged: &[(String, Instant)]) {
    let mut there = BTreeSet::new();
    let mut from = vec![0u8];
    loop {
        let range = RangeRequest {
            key: from.into(),
            range_end: "\0".into(),
            limit: PAGE,
            keys_only: true,
            ..RangeRequest::default()
        };
        let Response::Range(page) = insist(client, range.into()).await else { panic!("another answer") };
        there.extend(page.kvs.iter().map(|pair| pair.key.clone()));
        let Some(last) = page.kvs.last().filter(|_| page.more) else { break };
        from = [&last.key[..], &[0]].concat();
    }
    let lost = acknowledged.iter().filter(|(key, _)| !there.contains(key.as_bytes()));
    let lost: Vec<&str> = lost.map(|(key, _)| &**key).collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged keys are lost, first {:?}",
        lost.len(),
        &lost[..lost.len().min(5)]
    );
}

/// The longest time without an acknowledgement after each kill, until the next one.
fn gaps(kills: &[Instant], acknowledged: &[(String, Instant)]) -> Vec<Duration> {
    let end = |nth: usize| kills.get(nth + 1).copied();
    let gap = |(nth, kill): (usize, &Instant)| {
        let first = acknowledged.partition_point(|(_, at)| at <= kill);
        let times = acknowledged[first..].iter().map(|(_, at)| *at);
        let times = times.take_while(|at| end(nth).is_none_or(|end| *at < end));
        let mut times: Vec<Instant> = std::iter::once(*kill).chain(times).collect();
        // Nobody was served until the next kill.
        times.extend(end(nth));
        times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
    };
    let mut gaps: Vec<Duration> = kills.iter().enumerate().map(gap).collect();
    gaps.sort_unstable();
    gaps
}

fn print(what: &str, acknowledged: usize, gaps: &[Duration]) {
    let at = |percent: usize| gaps[(gaps.len() * percent / 100).min(gaps.len() - 1)];
    println!(
        "{what}: {} kills, {acknowledged} acknowledged puts, none lost; nobody is served for {:?} (median), {:?} (99 %), {:?} (worst)",
        gaps.len(),
        at(50),
        at(99),
        gaps[gaps.len() - 1]
    );
}

/// Waits that differ, in milliseconds.
fn differing(nth: usize, max: u64) -> Duration {
    Duration::from_millis(nth as u64 * 7_919 % max)
}

fn a_member_alone_is_killed(name: &str, kills: usize) {
    let folder = folder(name);
    let mut server = Server::alone(&folder);
    run(async {
        server.client().await;
        let writers = Writers::start(&[server.client], None);
        let mut killed = Vec::new();
        for nth in 0..kills {
            sleep(differing(nth, 300)).await;
            server.kill();
            killed.push(Instant::now());
            server.restart();
            // Sometimes it is killed again before it serves.
            if nth % 10 != 0 {
                server.client().await;
            }
        }
        sleep(Duration::from_millis(300)).await;
        let acknowledged = writers.stop().await;
        assert_all(&mut server.client().await, &acknowledged).await;
        print("one member", acknowledged.len(), &gaps(&killed, &acknowledged));
    });
}

/// Three members with mutual TLS. `pause` is how long each leader serves at most, in milliseconds, and half of it at least.
fn the_leader_of_three_is_killed(name: &str, goes_on: fn(usize, Duration) -> bool, pause: u64) {
    let folder = folder(name);
    let made = authority(&folder, "ca")
        && certificate(&folder, "ca", "server", "server")
        && certificate(&folder, "ca", "client", "client");
    if !made {
        return println!("skipped: openssl is not installed");
    }
    let tls = Arc::new(trusting(&folder, "ca", Some("client")));
    let mut servers = three(&folder);
    let ports: Vec<u16> = servers.iter().map(|server| server.client).collect();
    run(async {
        for server in &servers {
            server.client_at("https", Some(&tls)).await;
        }
        let (begun, mut killed) = (Instant::now(), Vec::new());
        let writers = Writers::start(&ports, Some(&tls));
        while goes_on(killed.len(), begun.elapsed()) {
            sleep(Duration::from_millis(pause / 2) + differing(killed.len(), pause / 2)).await;
            let Some(leader) = leader(&ports, &tls).await else { continue };
            servers[leader].kill();
            killed.push(Instant::now());
            sleep(differing(killed.len(), DOWN_MAX)).await;
            servers[leader].restart();
        }
        // The last gap has an end, too.
        sleep(Duration::from_secs(3)).await;
        let acknowledged = writers.stop().await;
        for port in &ports {
            let mut client = client_at("https", *port, Some(&tls)).await.expect("it serves");
            assert_all(&mut client, &acknowledged).await;
        }
        print("three members", acknowledged.len(), &gaps(&killed, &acknowledged));
    });
}

/// The member that leads, if all say so who answer.
async fn leader(ports: &[u16], tls: &ClientTls) -> Option<usize> {
    let (mut ids, mut leaders) = (Vec::new(), BTreeSet::new());
    for port in ports {
        let url = format!("https://127.0.0.1:{port}").parse().expect("an address");
        let status = async {
            let mut client = Client::connect(&url, Some(tls)).await.ok()?;
            client.call(StatusRequest {}.into()).await.ok()
        };
        let Ok(Some(Response::Status(status))) = timeout(ANSWER_MAX, status).await else {
            ids.push(0);
            continue;
        };
        ids.push(status.header.map_or(0, |header| header.member_id));
        leaders.insert(status.leader);
    }
    let leader = leaders.pop_first().filter(|leader| *leader != 0 && leaders.is_empty())?;
    ids.iter().position(|id| *id == leader)
}

fn three(folder: &Path) -> Vec<Server> {
    let (clients, peers): ([u16; 3], [u16; 3]) = (free_ports(), free_ports());
    let address = |nth: usize| format!("https://127.0.0.1:{}", peers[nth]);
    let initial: Vec<String> = (0..3).map(|nth| format!("m{}={}", nth + 1, address(nth))).collect();
    let file = |name: &str| folder.join(name).display().to_string();
    let start = |nth: usize| {
        let args = [
            format!("--listen-peer-urls={}", address(nth)),
            format!("--initial-advertise-peer-urls={}", address(nth)),
            format!("--initial-cluster={}", initial.join(",")),
            format!("--cert-file={}", file("server.crt")),
            format!("--key-file={}", file("server.key")),
            format!("--trusted-ca-file={}", file("ca.crt")),
            "--client-cert-auth=true".into(),
            format!("--peer-cert-file={}", file("server.crt")),
            format!("--peer-key-file={}", file("server.key")),
            format!("--peer-trusted-ca-file={}", file("ca.crt")),
            "--peer-client-cert-auth=true".into(),
        ];
        Server::start_at("https", folder, &format!("m{}", nth + 1), clients[nth], &args)
    };
    (0..3).map(start).collect()
}
