//! The project's figures, measured by `cargo bench`:
//!
//! - (a) the cost of the world: five members that exchange heartbeats and ten puts a second, once in a
//!   bare loop around `raft` (a heap of messages, raft's own memory storage, nothing else) and once as
//!   a plan in the world. Nanoseconds a message, and the ratio of the two, from the same run.
//! - (b) `scenarios/bench/steady.toml`, (c) `scenarios/bench/chaos.toml`, (d) `scenarios/swarm.toml`: virtual seconds
//!   a wall second with all oracles on, operations and events a second.
//!
//! Machines are shared and noisy: each figure is the median of several rounds, and (a) alternates between
//! its two loops. `cargo bench -- a` runs only (a).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use etcdsim::Simulation;
use etcdsim::stopwatch::Stopwatch;
use raft::eraftpb::Message;
use raft::storage::MemStorage;
use raft::{Config, RawNode};

const MEMBERS: u64 = 5;
const VIRTUAL_MS: u64 = 120_000;
const TICK_MS: u64 = 100;
const LATENCY_MS: u64 = 1;
const PROPOSAL_MS: u64 = 100;
const ROUNDS: usize = 7;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|arg| arg == name);
    if wants("a") {
        overhead();
    }
    if wants("b") {
        scenario("b", "scenarios/bench/steady.toml", 1);
    }
    if wants("c") {
        scenario("c", "scenarios/bench/chaos.toml", 10);
    }
    if wants("d") {
        scenario("d", "scenarios/swarm.toml", 40);
    }
}

/// (a)
fn overhead() {
    let (mut bare, mut world) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(measured(bare_loop));
        world.push(measured(world_loop));
    }
    let (bare, world) = (median(bare), median(world));
    println!("a  bare loop around raft  {bare:>8.0} ns a message");
    println!("a  through the world      {world:>8.0} ns a message");
    println!("a  ratio                  {:>8.2}", world / bare);
}

/// Nanoseconds a message.
fn measured(run: impl FnOnce() -> u64) -> f64 {
    let begun = Stopwatch::start();
    let messages = run();
    begun.elapsed().as_nanos() as f64 / messages as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What happens in the bare loop, in order of (time, number).
enum Next {
    Tick(usize),
    Propose,
    Deliver(Box<Message>),
}

/// raft, a heap, and nothing else. Returns the number of messages.
fn bare_loop() -> u64 {
    let voters: Vec<u64> = (1..=MEMBERS).collect();
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let mut nodes: Vec<RawNode<MemStorage>> = (1..=MEMBERS)
        .map(|id| {
            let config = Config {
                id,
                pre_vote: true,
                check_quorum: true,
                election_tick: 10,
                heartbeat_tick: 1,
                ..Config::default()
            };
            let storage = MemStorage::new_with_conf_state((voters.clone(), vec![]));
            RawNode::new(&config, storage, &logger).expect("the configuration is fine")
        })
        .collect();
    nodes[0].campaign().expect("a first campaign");
    let mut heap: BinaryHeap<(Reverse<(u64, u64)>, usize)> = BinaryHeap::new();
    let mut events: Vec<Option<Next>> = Vec::new();
    let mut messages = 0;
    let push = |heap: &mut BinaryHeap<(Reverse<(u64, u64)>, usize)>,
                events: &mut Vec<Option<Next>>,
                at: u64,
                next: Next| {
        events.push(Some(next));
        heap.push((Reverse((at, events.len() as u64)), events.len() - 1));
    };
    for node in 0..nodes.len() {
        push(&mut heap, &mut events, TICK_MS, Next::Tick(node));
    }
    push(&mut heap, &mut events, 10 * PROPOSAL_MS, Next::Propose);
    let mut touched: Vec<usize> = vec![0];
    let mut now = 0;
    loop {
        for node in touched.drain(..) {
            for message in ready(&mut nodes[node]) {
                messages += 1;
                push(&mut heap, &mut events, now + LATENCY_MS, Next::Deliver(Box::new(message)));
            }
        }
        let Some((Reverse((at, _)), event)) = heap.pop() else { break };
        if at > VIRTUAL_MS {
            break;
        }
        now = at;
        match events[event].take().expect("an event happens once") {
            Next::Tick(node) => {
                nodes[node].tick();
                touched.push(node);
                push(&mut heap, &mut events, now + TICK_MS, Next::Tick(node));
            }
            Next::Propose => {
                if let Some(leader) = nodes.iter().position(|node| node.raft.state == raft::StateRole::Leader)
                {
                    nodes[leader].propose(vec![], vec![7; 100]).expect("a leader takes a proposal");
                    touched.push(leader);
                }
                push(&mut heap, &mut events, now + PROPOSAL_MS, Next::Propose);
            }
            Next::Deliver(message) => {
                let to = message.to as usize - 1;
                // An unexpected message is dropped.
                let _ = nodes[to].step(*message);
                touched.push(to);
            }
        }
    }
    messages
}

/// Handles what is ready synchronously and returns the messages to send.
fn ready(node: &mut RawNode<MemStorage>) -> Vec<Message> {
    let mut out = Vec::new();
    while node.has_ready() {
        let mut ready = node.ready();
        out.extend(ready.take_messages());
        let store = node.mut_store();
        store.wl().append(ready.entries()).expect("entries fit the log");
        if let Some(hard_state) = ready.hs() {
            store.wl().set_hardstate(hard_state.clone());
        }
        out.extend(ready.take_persisted_messages());
        let mut light = node.advance(ready);
        out.extend(light.take_messages());
        node.advance_apply();
    }
    out
}

/// The same traffic as a plan: five members, ten puts of 64 bytes a second, a constant latency.
fn world_loop() -> u64 {
    let simulation = Simulation::from_file(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/overhead.toml"));
    let plan = simulation.expect("the scenario of bench (a) is fine").expand(1);
    cluster::run(&plan, &mut (), world::Options::default()).stats.messages
}

/// (b), (c) and (d)
fn scenario(name: &str, path: &str, seeds: u64) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let simulation = Simulation::from_file(format!("{root}{path}")).expect("the scenario is fine");
    let mut speeds = Vec::new();
    let (mut operations, mut events, mut wall) = (0, 0, 0.0);
    for seed in 1..=seeds {
        let plan = simulation.expand(seed);
        let begun = Stopwatch::start();
        let outcome = etcdsim::run_plan(&plan).expect("the harness works");
        let took = begun.elapsed().as_secs_f64();
        speeds.push(outcome.record.stats.virtual_ns as f64 / 1e9 / took);
        operations += outcome.record.stats.operations;
        events += outcome.record.stats.events;
        wall += took;
    }
    println!("{name}  {path}: {:.0} virtual seconds a wall second (median of {seeds})", median(speeds));
    println!(
        "{name}  {:.0} operations and {:.0} events a wall second",
        operations as f64 / wall,
        events as f64 / wall
    );
}
