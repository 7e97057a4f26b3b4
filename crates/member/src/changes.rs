//! The checks of a membership change before it is proposed: is the cluster healthy enough for it? The rules
//! are in `cluster/check.rs`; this file gives them what only the member knows, which is its connections and
//! the progress of learners.

use api::{Error, Request};
use record::MemberId;

use crate::cluster::{Change, Cluster, Health, Progress};
use crate::member::Member;

impl Member {
    /// The membership change that a request asks for, or the reason for refusing it.
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
