//! The Kubernetes traffic of etcd's robustness tests (`tests/robustness/traffic/kubernetes.go`), on about ten
//! pods.
//!
//! Each client is two lanes with one memory. The reader lists the pods page by page into a copy and watches
//! them for a second. The writer creates, updates and deletes pods, with the revisions from that copy. There
//! are also clients that only watch, as in `etcd`, and a Kubernetes compactor.

use api::etcdserverpb::RangeRequest;
use bytes::Bytes;
use keyed::Draw;
use record::Nanos;

use super::lane::{get, get_prefix};
use super::{Lane, Setup, etcd};
use crate::act::{Follow, Keys, Verb, Which, Write};
use crate::{Act, LAST};

pub(super) const ABOUT: &str = "About ten pods: one half of each client lists them page by page and watches, the other half writes from the copy. etcd `tests/robustness/traffic/kubernetes.go`, `Kubernetes`: update 90, delete 5, create 5; of the reads get 5, stale get 2, current revision 8, stale list 5, list and watch 80.";
pub(super) const ABOUT_CREATE_DELETE: &str =
    "The same, but pods come and go. `KubernetesCreateDelete`: create 60, delete 40.";

/// What the keys of all pods begin with.
const PREFIX: &str = "/registry/pods/";
/// The key that a reader gets to learn the current revision.
const ROOT: &str = "/registry/pods";
/// The desired number of pods, `averageKeyCount` in etcd's tests.
const ABOUT_KEYS: u32 = 10;
/// How many names pods can have: fewer than there are creations, so that some names are reused.
const NAMES: u64 = 30;
const SECOND: Nanos = 1_000_000_000;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    all(setup, [90, 5, 5])
}

/// The lanes of the variant without updates.
pub(super) fn create_delete(setup: &Setup<'_>) -> Vec<Lane> {
    all(setup, [0, 40, 60])
}

/// The lanes of both variants, given the weights of update, delete and create.
fn all(setup: &Setup<'_>, weights: [u64; 3]) -> Vec<Lane> {
    let clients = setup.workload.clients;
    let mut lanes: Vec<Lane> = (0..clients).map(|client| reader(setup, client)).collect();
    lanes.extend((0..clients).map(|client| writer(setup, clients + client, client, &weights)));
    for nth in 0..setup.watchers() {
        lanes.push(etcd::watcher(setup, lanes.len() as u32, nth, Keys::prefix(PREFIX), ROOT));
    }
    let number = lanes.len() as u32;
    let mut compactor = Lane::new(number);
    for turn in setup.every(number, SECOND) {
        compactor.act(turn.at, Act::Compactor { key: Bytes::from_static(b"compact_rev_key") });
    }
    lanes.push(compactor);
    lanes
}

/// The key of a random pod.
fn pod(draw: Draw) -> String {
    format!("{PREFIX}default/p{}", draw.below(NAMES))
}

/// The half of a client that lists and watches pods.
fn reader(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane::new(number);
    let keys = Keys::prefix(PREFIX);
    for turn in setup.every(number, SECOND) {
        let (at, draw) = (turn.at, turn.draw);
        let pod = pod(draw.then(1));
        // Get, stale get, current revision, stale list, list and watch.
        match draw.weighted(&[5, 2, 8, 5, 80]) {
            0 => lane.ask(at, RangeRequest { limit: 1, ..get(pod) }),
            1 => lane.ask(at, RangeRequest { limit: 1, revision: LAST, ..get(pod) }),
            2 => lane.ask(at, RangeRequest { limit: 1, ..get(ROOT) }),
            3 => {
                let page = RangeRequest { limit: ABOUT_KEYS.into(), revision: LAST, ..get_prefix(PREFIX) };
                lane.ask(at, page);
            }
            _ => {
                // The previous watch ends after a second, as in etcd's tests (`WatchTimeout`).
                lane.act(at, Act::Close { stream: 0 });
                let follow =
                    Follow { keys: keys.clone(), page: ABOUT_KEYS / 2, streamed: false, name: 0, stream: 0 };
                lane.act(at, Act::Follow(follow));
            }
        }
        lane.act(at, Act::View { keys: keys.clone() });
    }
    lane
}

/// The half of a client that writes pods.
fn writer(setup: &Setup<'_>, number: u32, reader: u32, weights: &[u64]) -> Lane {
    let mut lane = Lane::part_of(number, reader);
    for turn in setup.turns(number, setup.workload.clients) {
        let verb = [Verb::Update, Verb::Remove, Verb::Create][turn.draw.weighted(weights)];
        let write = Write {
            verb,
            which: Which::Nth { keys: Keys::prefix(PREFIX), pick: turn.draw.then(1).below(1_000) },
            value: lane.value(setup, turn.draw),
            lease: 0,
            new: pod(turn.draw.then(2)).into(),
            about: ABOUT_KEYS,
            tries: 1,
        };
        lane.act(turn.at, Act::Write(write));
    }
    lane
}
