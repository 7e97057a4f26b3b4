//! Checks that this server makes before it proposes a membership change.

use api::{Error, Request};
use record::MemberId;

use crate::cluster::{Change, Cluster, Health, Progress};
use crate::member::Member;

impl Member {
    /// The change that a request asks for, if the cluster is healthy enough for it.
    pub(crate) fn checked_change(&self, cluster: &Cluster, request: &Request) -> Result<Change, Error> {
        let since = self.connections.iter().map(|(id, time)| (*id, self.now.saturating_sub(*time)));
        let health = Health { own: self.config.id, now: self.now, connected: since.collect() };
        match request {
            Request::MemberAdd(request) => {
                cluster.check_add(request, (self.wall / 1_000_000_000) as u64, &health)
            }
            Request::MemberRemove(request) => cluster.check_remove(request, &health),
            Request::MemberUpdate(request) => cluster.check_update(request),
            Request::MemberPromote(request) => {
                let progress = self.node.match_index(self.config.id).map(|leader| Progress {
                    leader,
                    member: self.node.match_index(MemberId::from_raft(request.id)),
                });
                cluster.check_promote(request, progress)
            }
            other => panic!("{} is not a membership change: was it routed wrongly?", other.rpc_name()),
        }
    }
}
