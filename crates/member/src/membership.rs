//! What a member does about its own place in the cluster: it publishes its name, remembers which members are connected,
//! checks changes of the membership before they are proposed, and ends after it was removed.
//!
//! The rules for a change are in `cluster/check.rs`; this file gives them what only the member knows, which
//! is its connections and the progress of learners.
//!
//! A member that applies its own removal continues for a second, so that other members can learn of the
//! removal from it, and then ends.

use std::sync::Arc;

use api::etcdserverpb::Member as Listed;
use api::membershippb::{Attributes, ClusterMemberAttrSetRequest};
use api::{Error, Request};
use contract::Now;
use record::MemberId;

use crate::cluster::{Change, Cluster, Health, Progress};
use crate::config::Config;
use crate::envelope::Command;

/// How long a removed member continues, in nanoseconds (`server.go`, `stopWithDelay`: ten times 100 ms).
const STOP_DELAY: u64 = 1_000_000_000;

/// A member's own place in the cluster. Times are on its own clock.
#[derive(Debug)]
pub(crate) struct Membership {
    own: MemberId,
    name: String,
    client_urls: Arc<[String]>,
    /// Whether the others know this member's name.
    publication: Publication,
    /// How long each connection to another member has been up, as last reported.
    connections: Vec<(MemberId, u64)>,
    /// Set once this member knows that it was removed from the cluster: when its process ends.
    end_at: Option<u64>,
    request_timeout: u64,
}

/// Whether the other members know this member's name. Until they do, member lists show it as not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Publication {
    /// This member proposes its name to the log at this time, unless the name is known by then.
    Due(u64),
    /// The name is known.
    Done,
}

impl Membership {
    /// The place of a member that starts now.
    pub(crate) fn new(config: &Config, now: u64) -> Membership {
        Membership {
            own: config.id,
            name: config.name().to_string(),
            client_urls: Arc::clone(&config.client_urls),
            publication: Publication::Due(now),
            connections: Vec::new(),
            end_at: None,
            request_timeout: config.settings.request_timeout,
        }
    }

    /// The state of the connections to other members.
    pub(crate) fn connected(&mut self, connections: Vec<(MemberId, u64)>) {
        self.connections = connections;
    }

    /// The membership change that a request asks for, or the reason for refusing it. `matched` returns a
    /// member's match index, if this member leads.
    pub(crate) fn checked(
        &self,
        cluster: &Cluster,
        request: &Request,
        now: Now,
        matched: impl Fn(MemberId) -> Option<u64>,
    ) -> Result<Change, Error> {
        let since = self.connections.iter().map(|(id, time)| (*id, now.clock.saturating_sub(*time)));
        let health = Health { own: self.own, now: now.clock, connected: since.collect() };
        match request {
            Request::MemberAdd(request) => {
                cluster.check_add(request, (now.wall / 1_000_000_000) as u64, &health)
            }
            Request::MemberRemove(request) => cluster.check_remove(request, &health),
            Request::MemberUpdate(request) => cluster.check_update(request),
            Request::MemberPromote(request) => {
                let progress = matched(self.own)
                    .map(|leader| Progress { leader, member: matched(MemberId::from_raft(request.id)) });
                cluster.check_promote(request, progress)
            }
            other => panic!("{} is not a membership change: was it routed wrongly?", other.rpc_name()),
        }
    }

    // ---- publication ------------------------------------------------------------------------------

    /// When to publish next, on the member's clock; `u64::MAX` if its name is known.
    pub(crate) fn publishes_at(&self) -> u64 {
        match self.publication {
            Publication::Due(at) => at,
            Publication::Done => u64::MAX,
        }
    }

    /// The command that publishes this member's name and client URLs, at intervals, until this member has
    /// applied them (`server.go`, `publishV3`). `listed` is what the cluster knows of it. Call this only
    /// while there is a leader.
    pub(crate) fn publish(&mut self, now: u64, listed: Option<&Listed>) -> Option<Command> {
        if self.publishes_at() > now {
            return None;
        }
        let listed = listed?;
        if listed.name == self.name && listed.client_urls[..] == self.client_urls[..] {
            self.publication = Publication::Done;
            return None;
        }
        self.publication = Publication::Due(now + self.request_timeout);
        let attributes = Attributes { name: self.name.clone(), client_urls: self.client_urls.to_vec() };
        let member_attributes = Some(attributes);
        let member_id = self.own.raft_id();
        Some(Command::Attributes(ClusterMemberAttrSetRequest { member_id, member_attributes }))
    }

    // ---- removal ----------------------------------------------------------------------------------

    /// This member has applied its own removal.
    pub(crate) fn left(&mut self, now: u64) {
        self.end_at.get_or_insert(now + STOP_DELAY);
    }

    /// This member learned of its removal from another member or from a snapshot: it ends in this step.
    pub(crate) fn learned_of_removal(&mut self, now: u64) {
        self.end_at.get_or_insert(now);
    }

    /// When this member ends because it was removed; `u64::MAX` if it was not.
    pub(crate) fn ends_at(&self) -> u64 {
        self.end_at.unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use api::etcdserverpb::MemberPromoteRequest;

    use super::*;
    use crate::config::Peer;

    fn config() -> Config {
        let id = MemberId::new(1);
        let peers = [Peer { id, name: "one".into(), peer_urls: ["http://m1:2380".to_string()].into() }];
        let client_urls = ["http://m1:2379".to_string()].into();
        Config { client_urls, ..Config::new(id, peers.into()) }
    }

    #[test]
    fn a_name_is_published_until_it_is_known() {
        let config = config();
        let mut membership = Membership::new(&config, 5);
        let mut listed = Listed { name: "one".into(), ..Listed::default() };
        assert_eq!((membership.publish(4, Some(&listed)), membership.publish(5, None)), (None, None));
        assert!(matches!(membership.publish(5, Some(&listed)), Some(Command::Attributes(_))));
        assert_eq!(membership.publish(6, Some(&listed)), None, "it waits for the first attempt");
        listed.client_urls = config.client_urls.to_vec();
        assert_eq!(membership.publish(membership.publishes_at(), Some(&listed)), None);
        assert_eq!(membership.publishes_at(), u64::MAX);
    }

    #[test]
    fn only_a_leader_knows_who_may_be_promoted() {
        let config = config();
        let membership = Membership::new(&config, 0);
        let cluster = Cluster::bootstrap(&config.peers, &config);
        let promote = Request::MemberPromote(MemberPromoteRequest { id: 2 });
        let checked = |matched: fn(MemberId) -> Option<u64>| {
            membership.checked(&cluster, &promote, Now::default(), matched)
        };
        assert_eq!(checked(|_| None), Err(Error::NotLeader));
        assert_eq!(checked(|_| Some(7)), Ok(Change::Promote(MemberId::from_raft(2))));
    }

    #[test]
    fn a_removed_member_continues_for_a_while() {
        let mut membership = Membership::new(&config(), 0);
        assert_eq!(membership.ends_at(), u64::MAX);
        membership.left(7);
        membership.learned_of_removal(8);
        assert_eq!(membership.ends_at(), 7 + STOP_DELAY);
    }
}
