//! A Kubernetes cluster as etcd sees it. Only API servers talk to etcd, and each keeps a copy of each resource
//! up to date with a watch. Calls, keys and periods are those of `apiserver/pkg/storage/etcd3` and the defaults
//! of the components. Periods are divided by the field `speed`, so that a short run shows much of a cluster's
//! life.
//!
//! Each API server is six lanes with one memory:
//! * `reflector` lists each resource by a streamed range into a copy (since Kubernetes 1.37; page by page if etcd does not
//!   support that), and keeps all copies up to date with one watch
//!   stream. It also reads the current revision, counts keys, and lists pages for clients.
//! * `users` stands for users and controllers. It creates, updates and removes objects by compare-and-swap from
//!   the copy, and tries again with the revision that a failed transaction returned.
//! * `pods` creates and removes pods so that their number stays about the same, and often changes their status.
//! * `nodes` renews the lease objects of nodes and, less often, writes their status.
//! * `events` writes events, sometimes many at once, with a lease that many of them share. It also writes the
//!   server's entry under masterleases, with a new lease each time. No lease is kept alive or revoked, because
//!   Kubernetes does neither.
//! * `compactor` competes with those of the other servers for the key `compact_rev_key`. The winner compacts.

use api::etcdserverpb::RangeRequest;
use bytes::Bytes;
use keyed::Draw;
use record::Nanos;

use super::lane::{create, get, get_prefix, grant, put};
use super::{Lane, Setup};
use crate::Act;
use crate::act::{Follow, Keys, Verb, Which, Write};

pub(super) const ABOUT: &str = "A Kubernetes cluster: API servers with watched copies of each resource, controllers, nodes that send heartbeats, storms of events with shared leases, masterleases, racing compactors. The calls are those of `apiserver/pkg/storage/etcd3`. Our own. `rate` is the rate of users and controllers.";

/// Resources that API servers keep copies of. Events have no copy.
const FOLLOWED: &[&str] = &[
    "/registry/pods/",
    "/registry/replicasets/",
    "/registry/deployments/",
    "/registry/configmaps/",
    "/registry/services/endpoints/",
    "/registry/minions/",
    "/registry/leases/",
];
/// What users create and change, and roughly how many of each there are.
const USED: &[(&str, u32)] = &[
    ("/registry/deployments/", 6),
    ("/registry/replicasets/", 8),
    ("/registry/configmaps/", 10),
    ("/registry/services/endpoints/", 5),
];
/// Pairs on a page. Real API servers have thousands of pairs and request 500 at a time.
const PAGE: u32 = 7;
/// Pods for each node.
const PODS: u32 = 4;
/// How often a write is tried with the revision from the failed txn. API servers do not give up.
const TRIES: u32 = 5;
const SECOND: Nanos = 1_000_000_000;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let servers = setup.workload.api_servers;
    let mut lanes: Vec<Lane> = (0..servers).map(|server| reflector(setup, server)).collect();
    let roles: [fn(&Setup<'_>, u32, Lane) -> Lane; 5] = [users, pods, nodes, events, compactor];
    for role in roles {
        for server in 0..servers {
            let lane = Lane::part_of(lanes.len() as u32, server);
            lanes.push(role(setup, server, lane));
        }
    }
    lanes
}

/// A period that lasts this many seconds in a real cluster, divided by the speed.
fn scaled(setup: &Setup<'_>, seconds: u64) -> Nanos {
    seconds * SECOND / u64::from(setup.workload.speed)
}

/// A name in one of two namespaces. There are only `names` of them in each, so names are used again.
fn name(prefix: &str, draw: Draw, names: u64) -> Bytes {
    let space = ["default", "kube-system"][draw.below(2) as usize];
    format!("{prefix}{space}/{}", draw.then(1).below(names)).into()
}

/// An API server's copies of all resources.
fn reflector(setup: &Setup<'_>, server: u32) -> Lane {
    let mut lane = Lane::new(server);
    for (nth, resource) in FOLLOWED.iter().enumerate() {
        let keys = Keys::prefix(*resource);
        let follow = Follow { keys, page: PAGE, streamed: true, name: nth as u32, stream: 0 };
        lane.act(0, Act::Follow(follow));
    }
    for turn in setup.every(server, scaled(setup, 5)) {
        let (at, draw) = (turn.at, turn.draw);
        let resource = *draw.then(1).pick(FOLLOWED);
        match draw.weighted(&[30, 20, 10, 10, 30]) {
            // A consistent read from the copy: the current revision, then the watch's progress.
            0 => {
                let root = Bytes::copy_from_slice(resource.trim_end_matches('/').as_bytes());
                lane.ask(at, RangeRequest { limit: 1, ..get(root) });
                lane.act(at, Act::Progress { stream: 0 });
            }
            // A client that requests pages at the current revision bypasses the copy.
            1 => {
                let keys = Keys::prefix(format!("{resource}default/"));
                lane.act(at, Act::List { keys, page: PAGE / 2, streamed: true });
            }
            2 => lane.ask(at, RangeRequest { count_only: true, ..get_prefix(resource) }),
            3 => lane.ask(at, get("/registry/health")),
            _ => FOLLOWED.iter().for_each(|part| lane.act(at, Act::View { keys: Keys::prefix(*part) })),
        }
    }
    lane
}

/// A write to an object of a resource. There are about `about` objects of that resource.
fn write(lane: &Lane, setup: &Setup<'_>, draw: Draw, verb: Verb, (resource, about): (&str, u32)) -> Act {
    Act::Write(Write {
        verb,
        which: Which::Nth { keys: Keys::prefix(resource.to_string()), pick: draw.then(11).below(1_000) },
        value: lane.value(setup, draw),
        lease: 0,
        new: name(resource, draw.then(12), u64::from(about) * 2),
        about,
        tries: TRIES,
    })
}

/// What a write does, drawn with these weights of an update, a creation and a removal.
fn verb(draw: Draw, weights: [u64; 3]) -> Verb {
    [Verb::Update, Verb::Create, Verb::Remove][draw.weighted(&weights)]
}

/// The users of an API server, who write resources of all kinds.
fn users(setup: &Setup<'_>, _: u32, mut lane: Lane) -> Lane {
    for turn in setup.turns(lane.number, setup.workload.api_servers) {
        let verb = verb(turn.draw.then(2), [80, 12, 8]);
        let act = write(&lane, setup, turn.draw, verb, *turn.draw.then(3).pick(USED));
        lane.act(turn.at, act);
    }
    lane
}

/// The controllers of an API server, which write pods.
fn pods(setup: &Setup<'_>, _: u32, mut lane: Lane) -> Lane {
    for turn in setup.every(lane.number, scaled(setup, 2)) {
        let verb = verb(turn.draw.then(2), [70, 15, 15]);
        let act = write(&lane, setup, turn.draw, verb, ("/registry/pods/", PODS * setup.workload.nodes));
        lane.act(turn.at, act);
    }
    lane
}

/// A node renews its lease object every 10 s (`node-status-update-frequency`) and reports its status
/// every 5 min (`node-status-report-frequency`; ten times as often here). Each talks to one API server.
fn nodes(setup: &Setup<'_>, server: u32, mut lane: Lane) -> Lane {
    let own = (0..setup.workload.nodes).filter(|node| node % setup.workload.api_servers == server);
    let own: Vec<u32> = own.collect();
    if own.is_empty() {
        return lane;
    }
    for turn in setup.every(lane.number, scaled(setup, 10) / own.len() as u64) {
        let node = own[(turn.nth % own.len() as u64) as usize];
        let beat = format!("/registry/leases/kube-node-lease/node-{node}");
        let act = Write { tries: TRIES, ..Write::update(beat, lane.value(setup, turn.draw)) };
        lane.act(turn.at, Act::Write(act));
        if (turn.nth / own.len() as u64).is_multiple_of(3) {
            let status = format!("/registry/minions/node-{node}");
            let act = Write { tries: TRIES, ..Write::update(status, lane.value(setup, turn.draw)) };
            lane.act(turn.at, Act::Write(act));
        }
    }
    lane
}

/// Events share a lease for a minute at most (`LeaseManager`); the entry under masterleases is written
/// every 10 s with a lease of 15 s of its own.
fn events(setup: &Setup<'_>, server: u32, mut lane: Lane) -> Lane {
    let (minute, speed) = (scaled(setup, 60), i64::from(setup.workload.speed));
    // An hour and a minute of a real cluster, shortened further so that some leases end during a run.
    let event_ttl = (3_660 / speed / 20).max(5);
    let master_ttl = (15 / speed).max(2);
    let (mut lease, mut until) = (0, 0);
    for turn in setup.every(lane.number, scaled(setup, 10)) {
        let id = lane.lease();
        lane.ask(turn.at, grant(id, master_ttl));
        let entry = format!("/registry/masterleases/10.0.0.{}", server + 1);
        let entry = Write { lease: id, tries: TRIES, ..Write::update(entry, lane.value(setup, turn.draw)) };
        lane.act(turn.at, Act::Write(entry));
        if turn.at >= until {
            (lease, until) = (lane.lease(), turn.at + minute);
            lane.ask(turn.at, grant(lease, event_ttl));
        }
        // Usually a few, sometimes a storm.
        let storm = turn.draw.then(1).below(8) == 0;
        for _ in 0..turn.draw.then(2).within(0, if storm { 20 } else { 3 }) {
            let key = format!("/registry/events/default/e-{server}-{}", lane.operations.len());
            let value = lane.value(setup, turn.draw);
            let event = api::etcdserverpb::PutRequest { lease, ..put(key, value) };
            lane.ask(turn.at, create(event));
        }
    }
    lane
}

/// Every 5 min (`--etcd-compaction-interval`), but ten times as often here, so that a run has some.
fn compactor(setup: &Setup<'_>, _: u32, mut lane: Lane) -> Lane {
    for turn in setup.every(lane.number, scaled(setup, 30)) {
        lane.act(turn.at, Act::Compactor { key: Bytes::from_static(b"compact_rev_key") });
    }
    lane
}
