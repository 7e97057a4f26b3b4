//! Describes etcd to the kernel: its node is [`Member`]. This file also makes the configuration with which a member
//! starts: its peers, URLs, settings and flaws.

use std::sync::Arc;

use member::config::Peer;
use member::{Config, Flaw, Member};
use plan::Plan;
use record::{EtcdFact, MemberId, Probe};
use world::{Found, System};

use crate::caller_event::CallerEvent;
use crate::clients::segment::Segment;

/// The type that stands for an etcd cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Etcd {}

/// What callers read.
pub(crate) type View<'a> = world::View<'a, Etcd>;
/// What callers want done.
pub(crate) type Orders = world::Orders<Etcd>;
/// How a call ended for its caller.
pub(crate) type Ended = world::Ended<Etcd>;

/// Every message becomes a packet, so packets must stay small.
const _: () = assert!(world::packet_size::<Etcd>() <= 120);

impl System for Etcd {
    type Node = Member;
    type Part = plan::Etcd;
    type Segment = Segment;
    type Event = CallerEvent;

    /// # Panics
    /// If the plan names a flaw that does not exist: the code that makes the plan checks that.
    fn config(plan: &Plan, id: MemberId) -> Config {
        let peers: Arc<[Peer]> = MemberId::first(plan.cluster.members).map(peer).collect();
        let mut config = Config {
            seed: plan.seed,
            client_urls: Arc::new([format!("http://m{id}:2379")]),
            settings: plan.cluster.settings.clone(),
            ..Config::new(id, peers)
        };
        for switched in plan.flaws.iter().filter(|flaw| flaw.member.is_none_or(|member| member == id)) {
            let flaw: Flaw = switched.flaw.parse().unwrap_or_else(|error| panic!("{error}"));
            config.flaws.insert(flaw);
        }
        config
    }

    fn joins(config: &mut Config, members: &[MemberId]) {
        config.join = true;
        config.peers = members.iter().copied().map(peer).collect();
    }

    fn reseed(config: &mut Config, seed: u64) {
        config.seed = seed;
    }

    fn interrupted(found: Found) -> Option<EtcdFact> {
        let probe = match found {
            Found::KeptWhole => Probe::CommitKeptWhole,
            Found::Torn => Probe::TornCommitFound,
            Found::LostWhole => Probe::CommitLostWhole,
        };
        Some(EtcdFact::Probe { probe })
    }
}

/// A member as other members know it.
fn peer(id: MemberId) -> Peer {
    Peer { id, name: format!("m{id}").into(), peer_urls: [peer_url(id)].into() }
}

/// The URL at which other members reach a member.
pub(crate) fn peer_url(id: MemberId) -> String {
    format!("http://m{id}:2380")
}
