//! The checks that a member makes before it proposes a membership change: would the cluster keep a quorum?
//! They are etcd's `mayAddMember`, `mayRemoveMember`, `mayPromoteMember` and `isLearnerReady`
//! (`server/etcdserver/server.go`), in the same order, with the rule for additions of 3.5.30 and late 3.6.
//!
//! They depend on what this member knows at this moment, such as its connections. The checks whose result must be the
//! same on all members are made when the change is applied (`change`): whether an id or URL is in use, and whether
//! there are too many learners.

use std::collections::BTreeMap;

use api::Error;
use api::etcdserverpb::{
    Member, MemberAddRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
};
use record::{MemberId, Probe};

use super::change::Change;
use crate::flaw::Flaw;

use super::{Cluster, Members, id_of_member, identity};

/// How long a member must have been connected to count as healthy, in nanoseconds (`server.go`,
/// `HealthInterval`).
pub const HEALTH_INTERVAL: u64 = 5_000_000_000;

/// What a member knows about its connections to others. Times are nanoseconds of its own clock.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The id of the member itself.
    pub own: MemberId,
    /// The current time.
    pub now: u64,
    /// Since when each other member has been connected. A member that is not connected is absent.
    pub connected: BTreeMap<MemberId, u64>,
}

/// How far a leader and a learner have got in the log.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The leader's own durable index.
    pub leader: u64,
    /// The match index of the member in question; `None` if raft does not know it.
    pub member: Option<u64>,
}

impl Health {
    /// How many of `members` are healthy: the member itself, and those connected for [`HEALTH_INTERVAL`].
    fn healthy<'a>(&self, members: impl Iterator<Item = &'a Member>) -> usize {
        let is_healthy = |id: MemberId| match self.connected.get(&id) {
            Some(since) => since.saturating_add(HEALTH_INTERVAL) < self.now,
            None => false,
        };
        members.map(id_of_member).filter(|id| *id == self.own || is_healthy(*id)).count()
    }
}

/// The size of a majority of `members` members.
fn quorum(members: usize) -> usize {
    members / 2 + 1
}

/// Whether a member has started: its name is known only after it has published it.
fn is_started(member: &&Member) -> bool {
    !member.name.is_empty()
}

impl Members {
    /// The number of voters and how many of them have started, not counting the member `without`.
    fn voting(&self, without: Option<MemberId>) -> (usize, usize) {
        let voters = || self.voters().filter(|member| Some(id_of_member(member)) != without);
        (voters().count(), voters().filter(is_started).count())
    }
}

impl Cluster {
    /// The change that adds a member. `second` is the wall clock in seconds since 1970; a hashed id depends
    /// on it.
    ///
    /// # Errors
    /// `MemberBadUrls`; `NotEnoughStartedMembers` if fewer than a quorum of the voters, counting the new one, would
    /// have started; `Unhealthy` if this member is connected to fewer than that many.
    pub fn check_add(
        &self,
        request: &MemberAddRequest,
        second: u64,
        health: &Health,
    ) -> Result<Change, Error> {
        let peer_urls = identity::peer_urls(&request.peer_urls)?;
        let id = identity::id_of_new(self.rules.ids, &request.peer_urls, second)?;
        let is_learner = request.is_learner;
        if self.rules.strict_reconfig {
            let (voters, started) = self.members.voting(None);
            // A cluster of one started member may always grow. An operator needs that to restore a cluster
            // from the only member that is left.
            let grows_from_one = voters == 1 && started == 1;
            if !is_learner && !grows_from_one && started < quorum(voters + 1) {
                return Err(Error::NotEnoughStartedMembers);
            }
            let healthy = health.healthy(self.members.voters());
            if voters != 1 && healthy < quorum(voters + 1) {
                self.probes.reached(Probe::ChangeRefusedUnhealthy);
                return Err(Error::Unhealthy);
            }
        }
        Ok(Change::Add(Member { id, peer_urls, is_learner, ..Member::default() }))
    }

    /// The change that removes a member.
    ///
    /// # Errors
    /// `NotEnoughStartedMembers` if fewer than a quorum of the other voters have started; `Unhealthy` if the
    /// member to remove is connected, and without it fewer than a quorum of the voters would be healthy.
    pub fn check_remove(&self, request: &MemberRemoveRequest, health: &Health) -> Result<Change, Error> {
        let id = MemberId::from_raft(request.id);
        let is_learner = self.member(id).is_some_and(|member| member.is_learner);
        // Flaw M-any-removal: a removal may leave too few members for a quorum.
        let any = self.rules.flaws.has(Flaw::AnyRemoval);
        if self.rules.strict_reconfig && !is_learner && !any {
            let (others, started) = self.members.voting(Some(id));
            if started < quorum(others) {
                return Err(Error::NotEnoughStartedMembers);
            }
            // Removing a member that is not connected leaves as many healthy voters as before.
            let is_down = id != health.own && !health.connected.contains_key(&id);
            let voters = self.members.voters().count();
            let healthy = health.healthy(self.members.voters());
            if !is_down && healthy.saturating_sub(1) < quorum(voters.saturating_sub(1)) {
                self.probes.reached(Probe::ChangeRefusedUnhealthy);
                return Err(Error::Unhealthy);
            }
        }
        Ok(Change::Remove(id))
    }

    /// The change that replaces a member's peer URLs.
    ///
    /// # Errors
    /// `MemberBadUrls`. etcd does not check the URLs, and every member that applies a change with bad ones
    /// panics (`rafthttp/transport.go`, `UpdatePeer`).
    pub fn check_update(&self, request: &MemberUpdateRequest) -> Result<Change, Error> {
        Ok(Change::Update(MemberId::from_raft(request.id), identity::peer_urls(&request.peer_urls)?))
    }

    /// The change that promotes a learner. `progress` is `None` on a member that does not lead.
    ///
    /// # Errors
    /// `NotLeader` (the member then calls the leader); `MemberNotFound` if raft does not know the learner;
    /// `LearnerNotReady` if its match index is below nine tenths of the leader's; `NotEnoughStartedMembers`.
    pub fn check_promote(
        &self,
        request: &MemberPromoteRequest,
        progress: Option<Progress>,
    ) -> Result<Change, Error> {
        let Progress { leader, member } = progress.ok_or(Error::NotLeader)?;
        // etcd 3.4.23 promoted a learner that raft did not know.
        let learner = member.ok_or(Error::MemberNotFound)?;
        // Flaw R16: a learner is promoted however far it lags.
        let early = self.rules.flaws.has(Flaw::LearnerPromotedEarly);
        if u128::from(learner) * 10 < u128::from(leader) * 9 && !early {
            self.probes.reached(Probe::PromotionRefusedNotReady);
            return Err(Error::LearnerNotReady);
        }
        if self.rules.strict_reconfig {
            let (voters, started) = self.members.voting(None);
            // The learner has the log, so it counts as started.
            if started + 1 < quorum(voters + 1) {
                return Err(Error::NotEnoughStartedMembers);
            }
        }
        Ok(Change::Promote(MemberId::from_raft(request.id)))
    }
}
