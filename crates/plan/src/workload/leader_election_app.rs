//! Services that elect a leader with etcd's election service and write only while they lead. Every write is
//! *fenced*: it compares the create revision of the leader's key, so it fails if the service has lost the
//! leadership without knowing. Controllers that run in several copies work like this, and so do etcd's
//! `client/v3/concurrency` examples.
//!
//! Each service is two lanes with one memory: one campaigns and writes, the other keeps the lease alive. One
//! more client watches the election's keys and asks who leads.

use api::v3electionpb::{CampaignRequest, LeaderRequest};
use bytes::Bytes;
use record::Nanos;

use super::lane::get;
use super::lock::renewers;
use super::{Lane, Setup};
use crate::Act;
use crate::act::{Keys, Session, Start, Watch};

pub(super) const ABOUT: &str = "Services that campaign, proclaim and resign with the server's election service, and write values fenced by the create revision of the leader's key; one more client watches. Our own.";

const ELECTION: Bytes = Bytes::from_static(b"app/leader");
const DATA: Bytes = Bytes::from_static(b"app/data");
const SECOND: Nanos = 1_000_000_000;
/// Time to live of a service's lease, in seconds.
const TTL: i64 = 4;

/// All lanes of the workload. (A lane is one client with all its operations.)
pub(super) fn lanes(setup: &Setup<'_>) -> Vec<Lane> {
    let clients = setup.workload.clients;
    let mut lanes: Vec<Lane> = (0..clients).map(|client| service(setup, client)).collect();
    renewers(setup, &mut lanes, TTL as Nanos * SECOND / 3);
    let observer = observer(setup, lanes.len() as u32);
    lanes.push(observer);
    lanes
}

/// The lane of a service that campaigns and writes.
fn service(setup: &Setup<'_>, client: u32) -> Lane {
    let mut lane = Lane::new(client);
    let mut lease = 0; // before the first campaign: the server then grants a lease
    for turn in setup.turns(client, setup.workload.clients) {
        let value = lane.value(setup, turn.draw);
        // The weights of: campaign, fenced write, proclaim, resign, campaign again.
        let act = match turn.draw.weighted(&[20, 55, 15, 10, 5]) {
            0 => {
                lease = lane.lease();
                Act::Campaign(Session { name: ELECTION, lease, ttl: TTL }, value)
            }
            // Campaigns again with the lease that it has. If the service leads already, this only changes its
            // value.
            4 => Act::Request(CampaignRequest { name: ELECTION, lease, value }.into()),
            1 => Act::Fenced { name: ELECTION, key: DATA, value },
            2 => Act::Proclaim { name: ELECTION, value },
            _ => Act::Resign { name: ELECTION },
        };
        lane.act(turn.at, act);
    }
    lane
}

/// The lane that watches the election and asks who leads.
fn observer(setup: &Setup<'_>, number: u32) -> Lane {
    let mut lane = Lane::new(number);
    let keys = Keys::prefix("app/");
    lane.act(0, Act::Watch(Watch { keys, from: Start::At(1), prev_kv: true, ..Watch::default() }));
    for turn in setup.every(number, SECOND) {
        match turn.draw.below(2) {
            0 => lane.ask(turn.at, LeaderRequest { name: ELECTION }),
            _ => lane.ask(turn.at, get(DATA)),
        }
    }
    lane
}
