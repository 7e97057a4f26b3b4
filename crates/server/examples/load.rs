//! A load for a server, ours or etcd's: how many puts, gets or events of watches it answers in a second.
//!
//! ```text
//! cargo run --release -p etcdsim-server --example load -- http://127.0.0.1:2379 put 16 10
//! ```
//!
//! The arguments are addresses (separated by commas), `put`, `get` or `watch`, the number of clients, and the seconds. Each client has
//! a connection of its own and asks again as soon as it was answered. Values have 256 bytes; there are 10,000 keys. A
//! watching client watches all keys, while 16 others put.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "it measures real time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::Request;
use api::etcdserverpb::watch_request::RequestUnion;
use api::etcdserverpb::{PutRequest, RangeRequest, WatchCreateRequest, WatchRequest, WatchResponse};
use etcdsim_server::client::Client;
use etcdsim_server::url::Url;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

const KEYS: usize = 10_000;
const VALUE: usize = 256;
/// How many clients put while others watch.
const WRITERS: usize = 16;

fn key(nth: usize) -> String {
    // Neighbours in time are no neighbours in the store.
    format!("load/{:05}", nth.wrapping_mul(7_919) % KEYS)
}

fn put(nth: usize) -> Request {
    PutRequest { key: key(nth).into(), value: vec![b'x'; VALUE].into(), ..PutRequest::default() }.into()
}

fn get(nth: usize) -> Request {
    RangeRequest { key: key(nth).into(), ..RangeRequest::default() }.into()
}

/// Asks until it is told to stop. Returns how long each answer took.
async fn ask(url: Url, number: usize, request: fn(usize) -> Request, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut took = Vec::new();
    let Ok(mut client) = Client::connect(&url, None).await else { return took };
    let mut nth = number * 101;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if client.call(request(nth)).await.is_ok() {
            took.push(begun.elapsed());
        }
        nth += 1;
    }
    took
}

/// Watches all keys until it is told to stop. Returns a zero for each event.
async fn watch(url: Url, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut seen = Vec::new();
    let Ok(mut client) = Client::connect(&url, None).await else { return seen };
    let create =
        WatchCreateRequest { key: "load/".into(), range_end: "load0".into(), ..WatchCreateRequest::default() };
    let (sender, requests) = tokio::sync::mpsc::channel(1);
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    if sender.send(create).await.is_err() {
        return seen;
    }
    let stream =
        client.stream::<_, WatchResponse>("/etcdserverpb.Watch/Watch", ReceiverStream::new(requests)).await;
    let Ok(mut stream) = stream else { return seen };
    while !stop.load(Ordering::Relaxed) {
        let Ok(answer) = tokio::time::timeout(Duration::from_millis(200), stream.message()).await else { continue };
        let Ok(Some(answer)) = answer else { break };
        seen.resize(seen.len() + answer.events.len(), Duration::ZERO);
    }
    seen
}

async fn load(urls: Vec<Url>, what: String, clients: usize, seconds: u64) {
    let stop = Arc::new(AtomicBool::new(false));
    if what == "get" {
        let mut client = Client::connect(&urls[0], None).await.expect("the server serves");
        for nth in 0..KEYS / 10 {
            client.call(put(nth)).await.expect("a put");
        }
    }
    let mut measured = JoinSet::new();
    let mut others = JoinSet::new();
    for number in 0..clients {
        let (url, stop) = (urls[number % urls.len()].clone(), Arc::clone(&stop));
        match &*what {
            "put" => measured.spawn(ask(url, number, put, stop)),
            "get" => measured.spawn(ask(url, number, get, stop)),
            _ => measured.spawn(watch(url, stop)),
        };
    }
    if what == "watch" {
        for number in 0..WRITERS {
            others.spawn(ask(urls[number % urls.len()].clone(), number, put, Arc::clone(&stop)));
        }
    }
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut took: Vec<Duration> = measured.join_all().await.into_iter().flatten().collect();
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    println!("{what} {clients}: {rate:.0} a second, median {:?}, 99 % {:?}", at(50), at(99));
    others.join_all().await;
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [addresses, what, clients, seconds] = &args[..] else {
        eprintln!("usage: load ADDRESS[,ADDRESS…] put|get|watch CLIENTS SECONDS");
        std::process::exit(2);
    };
    let urls: Result<Vec<Url>, _> = addresses.split(',').map(str::parse).collect();
    let (Ok(urls), Ok(clients), Ok(seconds)) = (urls, clients.parse(), seconds.parse()) else {
        eprintln!("an address is such as http://127.0.0.1:2379; clients and seconds are numbers");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    runtime.block_on(load(urls, what.clone(), clients, seconds));
}
